#include "preload/offset.h"

#include <errno.h>
#include <unistd.h>

#include "preload/dirstream.h"
#include "preload/real.h"

off_t offset_tell(struct file *f, int fd)
{
    return atomic_load(&f->shared) ? REAL(lseek)(fd, 0, SEEK_CUR) : atomic_load(&f->offset);
}

static void set(struct file *f, int fd, off_t offset)
{
    if (atomic_load(&f->shared))
        REAL(lseek)(fd, offset, SEEK_SET);
    else
        atomic_store(&f->offset, offset);
}

size_t offset_claim(struct file *f, int fd, size_t n, off_t *at)
{
    off_t offset = offset_tell(f, fd);
    for (;;) {
        off_t size = f->object ? (off_t)f->object->size_bytes : 0;
        off_t rest = offset < size ? size - offset : 0;
        size_t claimed = (uint64_t)rest < n ? (size_t)rest : n;
        *at = offset;
        if (claimed == 0)
            return 0;
        if (atomic_load(&f->shared) || file_one_thread()) {
            set(f, fd, offset + (off_t)claimed);
            return claimed;
        }
        if (atomic_compare_exchange_strong(&f->offset, &offset, offset + (off_t)claimed))
            return claimed;
    }
}

void offset_unclaim(struct file *f, int fd, off_t at, size_t claimed, ssize_t got)
{
    int64_t end = at + (off_t)claimed;
    off_t to = at + (got > 0 ? got : 0);
    if (to == end)
        return;
    if (atomic_load(&f->shared))
        REAL(lseek)(fd, to, SEEK_SET);
    else /* unless somebody moved it meanwhile */
        atomic_compare_exchange_strong(&f->offset, &end, to);
}

off_t offset_seek(struct file *f, int fd, off_t offset, int whence)
{
    if (f->path_only)
        return -EBADF;
    if (f->kind == FILE_DIRECTORY)
        return dirstream_seek_fd(f, offset, whence);
    off_t size = (off_t)f->object->size_bytes;
    off_t base;
    switch (whence) {
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        base = offset_tell(f, fd);
        break;
    case SEEK_END:
        base = size;
        break;
    case SEEK_DATA:
        if (offset < 0 || offset >= size)
            return -ENXIO;
        base = 0;
        break;
    case SEEK_HOLE:
        if (offset < 0 || offset >= size)
            return -ENXIO;
        base = size - offset;
        break;
    default:
        return -EINVAL;
    }
    off_t to;
    if (__builtin_add_overflow(base, offset, &to))
        return -EOVERFLOW;
    if (to < 0)
        return -EINVAL;
    set(f, fd, to);
    return to;
}

void offset_share(struct file *f, int fd)
{
    if (f->kind != FILE_REGULAR || atomic_load(&f->shared))
        return;
    REAL(lseek)(fd, atomic_load(&f->offset), SEEK_SET);
    atomic_store(&f->shared, true);
}
