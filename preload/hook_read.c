/* read and its kin, lseek, sendfile. What is read may be put into a lazy map that the job may write
 * to (lazy_need). */
#include "preload/hook.h"
#include "preload/inherit.h"
#include "preload/lazy.h"
#include "preload/offset.h"

/* What a vfork child opened is in no table: the table is its parent's. A shell that is told ENOEXEC
 * looks so into a script. */
static ssize_t read_by_kernel(int fd, void *buf, size_t n)
{
    if (__builtin_expect(!atomic_load_explicit(&file_child_opened, memory_order_relaxed), 1) ||
        !state_in_vfork_child())
        return REAL(read)(fd, buf, n);
    PINNED struct file *f = inherit_unlisted(fd);
    return f ? hook_result(file_read(f, fd, buf, n)) : REAL(read)(fd, buf, n);
}

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
    lazy_need(buf, n);
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return read_by_kernel(fd, buf, n);
    return hook_result(file_read(f, fd, buf, n));
}

EXPORT ssize_t pread(int fd, void *buf, size_t n, off_t offset)
{
    lazy_need(buf, n);
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(pread)(fd, buf, n, offset);
    return hook_result(file_pread(f, buf, n, offset));
}

/* Fills the pieces in turn from `offset`; what was read before a failure counts. */
static ssize_t pread_pieces(struct file *f, const struct iovec *pieces, int n_pieces, off_t offset)
{
    ssize_t done = 0;
    if (n_pieces < 0 || n_pieces > 1024)
        return -EINVAL;
    for (int i = 0; i < n_pieces; i++) {
        ssize_t r = file_pread(f, pieces[i].iov_base, pieces[i].iov_len, offset + done);
        if (r < 0)
            return done ? done : r;
        done += r;
        if ((size_t)r < pieces[i].iov_len)
            break;
    }
    return done;
}

static ssize_t read_pieces(struct file *f, int fd, const struct iovec *pieces, int n_pieces)
{
    size_t wanted = 0;
    off_t at = 0;
    for (int i = 0; i < n_pieces; i++)
        wanted += pieces[i].iov_len;
    if (f->kind != FILE_REGULAR || f->path_only)
        return pread_pieces(f, pieces, n_pieces, 0);
    ssize_t claimed = offset_claim(f, fd, wanted, &at);
    if (claimed < 0)
        return claimed;
    ssize_t r = pread_pieces(f, pieces, n_pieces, at);
    offset_unclaim(f, fd, at, (size_t)claimed, r);
    return r;
}

EXPORT ssize_t readv(int fd, const struct iovec *pieces, int n_pieces)
{
    lazy_need_pieces(pieces, (size_t)n_pieces);
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(readv)(fd, pieces, n_pieces);
    return hook_result(read_pieces(f, fd, pieces, n_pieces));
}

EXPORT ssize_t preadv(int fd, const struct iovec *pieces, int n_pieces, off_t offset)
{
    lazy_need_pieces(pieces, (size_t)n_pieces);
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(preadv)(fd, pieces, n_pieces, offset);
    return hook_result(pread_pieces(f, pieces, n_pieces, offset));
}

EXPORT ssize_t preadv2(int fd, const struct iovec *pieces, int n_pieces, off_t offset, int flags)
{
    lazy_need_pieces(pieces, (size_t)n_pieces);
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(preadv2)(fd, pieces, n_pieces, offset, flags);
    if (offset == -1)
        return hook_result(read_pieces(f, fd, pieces, n_pieces));
    return hook_result(pread_pieces(f, pieces, n_pieces, offset));
}

/* The fortified forms know the buffer's room; libc's ends the program when it is too small. */
ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
    lazy_need(buf, n);
    PINNED struct file *f = fdtab_get(fd);
    if (!f || n > room)
        return REAL(__read_chk)(fd, buf, n, room);
    return hook_result(file_read(f, fd, buf, n));
}

ssize_t __pread_chk(int fd, void *buf, size_t n, off_t offset, size_t room);
EXPORT ssize_t __pread_chk(int fd, void *buf, size_t n, off_t offset, size_t room)
{
    lazy_need(buf, n);
    PINNED struct file *f = fdtab_get(fd);
    if (!f || n > room)
        return REAL(__pread_chk)(fd, buf, n, offset, room);
    return hook_result(file_pread(f, buf, n, offset));
}

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(lseek)(fd, offset, whence);
    return hook_result(offset_seek(f, fd, offset, whence));
}

/* Out of a buffer: the kernel can't send from a placeholder. Stops where the output does. */
static ssize_t send_pieces(struct file *f, int out, off_t offset, size_t n)
{
    char piece[65536];
    size_t done = 0;
    while (done < n) {
        size_t want = n - done < sizeof(piece) ? n - done : sizeof(piece);
        ssize_t got = file_pread(f, piece, want, offset + (off_t)done);
        if (got <= 0)
            return done ? (ssize_t)done : got;
        ssize_t sent = REAL(write)(out, piece, (size_t)got);
        if (sent < 0)
            return done ? (ssize_t)done : -errno;
        done += (size_t)sent;
        if (sent < got)
            break;
    }
    return (ssize_t)done;
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
    PINNED struct file *f = fdtab_get(in);
    if (!f)
        return REAL(sendfile)(out, in, offset, n);
    off_t at = offset ? *offset : 0;
    ssize_t claimed = offset ? (ssize_t)n : offset_claim(f, in, n, &at);
    if (claimed < 0)
        return hook_result(claimed);
    ssize_t r = send_pieces(f, out, at, (size_t)claimed);
    if (!offset)
        offset_unclaim(f, in, at, (size_t)claimed, r);
    else if (r > 0)
        *offset = at + r;
    return hook_result(r);
}
