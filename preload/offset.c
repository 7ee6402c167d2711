#include "preload/offset.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "preload/dirstream.h"
#include "preload/real.h"

#define IN_KERNEL (-1)

bool offset_is_shared(const struct file *f)
{
    return atomic_load_explicit(&f->offset, memory_order_relaxed) == IN_KERNEL;
}

void offset_set_shared(struct file *f)
{
    atomic_store(&f->offset, IN_KERNEL);
}

static off_t in_kernel(int fd, off_t offset, int whence)
{
    off_t r = REAL(lseek)(fd, offset, whence);
    return r < 0 ? -errno : r;
}

off_t offset_tell(struct file *f, int fd)
{
    int64_t at = atomic_load(&f->offset);
    return at == IN_KERNEL ? in_kernel(fd, 0, SEEK_CUR) : at;
}

/* --- seeking ----------------------------------------------------------------------------- */

static off_t set(struct file *f, int fd, off_t to)
{
    int64_t at = atomic_load(&f->offset);
    do
        if (at == IN_KERNEL)
            return in_kernel(fd, to, SEEK_SET);
    while (!atomic_compare_exchange_weak(&f->offset, &at, to));
    return to;
}

static off_t move(struct file *f, int fd, off_t by)
{
    int64_t at = atomic_load(&f->offset);
    off_t to;
    do {
        if (at == IN_KERNEL)
            return in_kernel(fd, by, SEEK_CUR);
        if (__builtin_add_overflow(at, by, &to) || to < 0)
            return -EINVAL;
    } while (!atomic_compare_exchange_weak(&f->offset, &at, to));
    return to;
}

off_t offset_seek(struct file *f, int fd, off_t offset, int whence)
{
    if (f->path_only)
        return -EBADF;
    if (f->kind == FILE_DIRECTORY)
        return dirstream_seek_fd(f, offset, whence);
    off_t size = (off_t)f->object->size_bytes, to = offset;
    switch (whence) {
    case SEEK_CUR:
        return move(f, fd, offset);
    case SEEK_SET:
        break;
    case SEEK_END:
        if (__builtin_add_overflow(size, offset, &to))
            return -EINVAL;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        if (offset < 0 || offset >= size)
            return -ENXIO;
        to = whence == SEEK_HOLE ? size : offset;
        break;
    default:
        return -EINVAL;
    }
    return to < 0 ? -EINVAL : set(f, fd, to);
}

/* --- reading ----------------------------------------------------------------------------- */

static size_t rest_at(const struct file *f, off_t offset, size_t n)
{
    off_t size = f->object ? (off_t)f->object->size_bytes : 0;
    size_t rest = offset < size ? (size_t)(size - offset) : 0;
    return rest < n ? rest : n;
}

/* Moving by a distance is the kernel's own atomic addition: processes that read at the same moment
 * get different bytes. Whoever came too late to get all it asked for moves back by what lies
 * behind the end; meanwhile others find the end of the file, as they should. */
static ssize_t claim_in_kernel(const struct file *f, int fd, size_t n, off_t *at)
{
    off_t now = in_kernel(fd, 0, SEEK_CUR);
    size_t wanted = now < 0 ? 0 : rest_at(f, now, n);
    *at = now;
    if (wanted == 0)
        return now < 0 ? now : 0;
    off_t end = in_kernel(fd, (off_t)wanted, SEEK_CUR);
    if (end < 0)
        return end;
    *at = end - (off_t)wanted;
    size_t claimed = rest_at(f, *at, wanted);
    if (claimed < wanted)
        REAL(lseek)(fd, -(off_t)(wanted - claimed), SEEK_CUR);
    return (ssize_t)claimed;
}

ssize_t offset_claim(struct file *f, int fd, size_t n, off_t *at)
{
    int64_t now = atomic_load_explicit(&f->offset, memory_order_relaxed);
    size_t claimed;
    do {
        if (now == IN_KERNEL)
            return claim_in_kernel(f, fd, n, at);
        claimed = rest_at(f, now, n);
        *at = now;
        if (claimed == 0)
            return 0;
        if (file_one_thread()) {
            atomic_store_explicit(&f->offset, now + (off_t)claimed, memory_order_relaxed);
            break;
        }
    } while (!atomic_compare_exchange_weak(&f->offset, &now, now + (off_t)claimed));
    return (ssize_t)claimed;
}

void offset_unclaim(struct file *f, int fd, off_t at, size_t claimed, ssize_t got)
{
    size_t read = got > 0 ? (size_t)got : 0;
    if (read == claimed)
        return;
    int64_t end = at + (off_t)claimed;
    /* Unless somebody moved it meanwhile. */
    if (!atomic_compare_exchange_strong(&f->offset, &end, at + (off_t)read) && end == IN_KERNEL)
        REAL(lseek)(fd, -(off_t)(claimed - read), SEEK_CUR);
}

/* --- sharing ----------------------------------------------------------------------------- */

#define OTHER_TURNS 1000

void offset_share(struct file *f, int fd)
{
    if (f->kind != FILE_REGULAR || offset_is_shared(f))
        return;
    /* Once another thread has moved it, setting it again would take back what was read since. That
     * thread may be gone (this is a child that was forked meanwhile), so nobody waits for ever. */
    if (atomic_exchange(&f->leaving, true))
        for (int i = 0; i < OTHER_TURNS && !offset_is_shared(f); i++)
            sched_yield();
    int64_t at = atomic_load(&f->offset);
    while (at != IN_KERNEL) {
        REAL(lseek)(fd, at, SEEK_SET);
        if (atomic_compare_exchange_strong(&f->offset, &at, IN_KERNEL))
            break; /* nobody read since `at` */
    }
}
