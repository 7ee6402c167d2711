/* Hints: how the job reads, and what it will read. They never wait, and never fail for what the
 * cache or S3 makes of them. How it reads travels with its requests for blocks; what it will read
 * is told the agent, which fetches as much of it as it sees fit. */
#include <fcntl.h>
#include <sys/mman.h>

#include "preload/hook.h"
#include "preload/lazy.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* --- descriptors -------------------------------------------------------------------------- */

/* As the kernel counts: no length is up to the end. */
static void want(struct file *f, off_t offset, off_t len, bool wanted)
{
    uint64_t from = offset > 0 ? (uint64_t)offset : 0, to = (uint64_t)offset + (uint64_t)len;
    if (f->kind != FILE_REGULAR || (!wanted && !atomic_load(&f->wanted)))
        return;
    if (wanted)
        atomic_store(&f->wanted, true);
    object_want(f->object, from, len == 0 || to < (uint64_t)len ? UINT64_MAX : to, wanted);
}

static int advise(struct file *f, off_t offset, off_t len, int advice)
{
    if (f->path_only)
        return -EBADF;
    if (len < 0)
        return -EINVAL;
    switch (advice) {
    case POSIX_FADV_NORMAL:
        atomic_store(&f->advice, OBJECT_NORMAL);
        return 0;
    case POSIX_FADV_SEQUENTIAL:
        atomic_store(&f->advice, OBJECT_SEQUENTIAL);
        return 0;
    case POSIX_FADV_RANDOM:
        atomic_store(&f->advice, OBJECT_RANDOM);
        return 0;
    case POSIX_FADV_WILLNEED:
        want(f, offset, len, true);
        return 0;
    case POSIX_FADV_DONTNEED: /* what is cached is not only this job's */
        want(f, offset, len, false);
        return 0;
    case POSIX_FADV_NOREUSE:
        return 0;
    default:
        return -EINVAL;
    }
}

/* Returns the error instead of setting errno. */
EXPORT int posix_fadvise(int fd, off_t offset, off_t len, int advice)
{
    PINNED struct file *f = fdtab_get(fd);
    return f ? -advise(f, offset, len, advice) : REAL(posix_fadvise)(fd, offset, len, advice);
}

EXPORT ssize_t readahead(int fd, off_t offset, size_t n)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(readahead)(fd, offset, n);
    if (f->kind != FILE_REGULAR && !f->path_only)
        return hook_result(-EINVAL);
    return hook_result(advise(f, offset, (off_t)n, POSIX_FADV_WILLNEED));
}

/* --- memory ------------------------------------------------------------------------------- */

/* What is mapped from blocks that are here is the kernel's to read ahead. */
static void advise_memory(void *at, size_t len, int advice)
{
    switch (advice) {
    case MADV_NORMAL:
        lazy_advise(at, len, OBJECT_NORMAL);
        break;
    case MADV_SEQUENTIAL:
        lazy_advise(at, len, OBJECT_SEQUENTIAL);
        break;
    case MADV_RANDOM:
        lazy_advise(at, len, OBJECT_RANDOM);
        break;
    case MADV_WILLNEED:
        lazy_want(at, len);
        break;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        lazy_want(at, len);
        lazy_need(at, len);
        break;
    default:
        break;
    }
}

EXPORT int madvise(void *at, size_t len, int advice)
{
    if (lazy_any())
        advise_memory(at, len, advice);
    return REAL(madvise)(at, len, advice);
}

/* The numbers are those of madvise(). */
EXPORT int posix_madvise(void *at, size_t len, int advice)
{
    if (lazy_any())
        advise_memory(at, len, advice);
    return REAL(posix_madvise)(at, len, advice);
}
