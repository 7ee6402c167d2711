/* splice from a mapped file into a pipe: through a buffer, as the kernel can't read a placeholder.
 * (copy_file_range says EXDEV, after which every program reads and writes.) */
#include <poll.h>
#include <sys/syscall.h>

#include "preload/hook.h"
#include "preload/offset.h"

#define PIECE_BYTES 65536

/* The same pipe, open so that a write never waits: what the caller reads from the other end
 * afterwards may be what makes room. -EINVAL: no pipe. */
static int open_pipe(int out)
{
    struct stat st;
    char link[32];
    if (REAL(fstat)(out, &st) < 0)
        return -errno;
    if (!S_ISFIFO(st.st_mode))
        return -EINVAL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", out);
    int fd = REAL(open)(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static ssize_t fill_pipe(struct file *f, int pipe_fd, off_t offset, size_t n, bool wait)
{
    char piece[PIECE_BYTES];
    ssize_t got = file_pread(f, piece, n < sizeof(piece) ? n : sizeof(piece), offset);
    if (got <= 0)
        return got;
    for (;;) {
        ssize_t sent = REAL(write)(pipe_fd, piece, (size_t)got);
        if (sent >= 0)
            return sent;
        if (errno != EAGAIN || !wait)
            return -errno;
        struct pollfd room = {.fd = pipe_fd, .events = POLLOUT};
        if (poll(&room, 1, -1) < 0)
            return -errno;
    }
}

static bool has_status(int fd, int flag)
{
    int flags = REAL(fcntl)(fd, F_GETFL);
    return flags >= 0 && (flags & flag);
}

static ssize_t splice_mapped(struct file *f, int in, off_t *in_offset, int out, size_t n,
                             unsigned flags)
{
    if (f->path_only)
        return -EBADF;
    if (f->kind != FILE_REGULAR)
        return -EINVAL;
    int pipe_fd = open_pipe(out);
    if (pipe_fd < 0)
        return pipe_fd;
    off_t at = in_offset ? *in_offset : 0;
    ssize_t claimed =
        in_offset ? (ssize_t)n : offset_claim(f, in, n < PIECE_BYTES ? n : PIECE_BYTES, &at);
    bool wait = !(flags & SPLICE_F_NONBLOCK) && !has_status(out, O_NONBLOCK);
    ssize_t r = claimed > 0 ? fill_pipe(f, pipe_fd, at, (size_t)claimed, wait) : claimed;
    if (!in_offset && claimed > 0)
        offset_unclaim(f, in, at, (size_t)claimed, r);
    else if (r > 0)
        *in_offset = at + r;
    syscall(SYS_close, pipe_fd);
    return r;
}

EXPORT ssize_t splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t n,
                      unsigned flags)
{
    int saved_errno = errno;
    PINNED struct file *f = fdtab_get(in);
    if (!f)
        return fdtab_has(out) ? hook_result(-EBADF)
                              : REAL(splice)(in, in_offset, out, out_offset, n, flags);
    ssize_t r = out_offset ? -ESPIPE : splice_mapped(f, in, in_offset, out, n, flags);
    errno = saved_errno;
    return hook_result(r);
}
