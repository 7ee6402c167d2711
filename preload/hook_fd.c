/* Descriptors: close, dup, fcntl, ioctl. The kernel's truth comes first, the table follows. */
#include <stdarg.h>
#include <sys/syscall.h>

#include "preload/hook.h"
#include "preload/inherit.h"
#include "preload/keep.h"
#include "preload/offset.h"
#include "preload/ownfd.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* A vfork child has its own descriptors but its parent's memory: the table is the parent's. What
 * the child hands on by exec is known by the placeholders alone, so the offset must be theirs. */
static bool is_table_ours(int from)
{
    if (!state_in_vfork_child())
        return true;
    PINNED struct file *f = fdtab_get(from);
    if (f)
        inherit_prepare(f, from);
    return false;
}

EXPORT int close(int fd)
{
    if (ownfd_is(fd))
        return (int)hook_result(-EBADF);
    /* Out of the table first: once closed, the number may be another thread's. */
    if (fdtab_has(fd) && is_table_ours(fd)) {
        keep_before_close(fd);
        fdtab_drop(fd);
    }
    return REAL(close)(fd);
}

static void drop_range(unsigned first, unsigned last)
{
    if (!fdtab_in_use() || state_in_vfork_child())
        return;
    if (last >= FDTAB_CHUNK * FDTAB_CHUNKS)
        last = FDTAB_CHUNK * FDTAB_CHUNKS - 1;
    for (unsigned fd = first; fd <= last; fd++) {
        if (!atomic_load(&fdtab_chunks[fd / FDTAB_CHUNK]))
            fd |= FDTAB_CHUNK - 1;
        else
            fdtab_drop((int)fd);
    }
}

/* Around our own descriptors. */
static int close_around(unsigned first, unsigned last, int flags)
{
    for (int own = ownfd_next((int)first); own >= 0 && (unsigned)own <= last;
         own = ownfd_next(own + 1)) {
        if ((unsigned)own > first && REAL(close_range)(first, (unsigned)own - 1, flags) < 0)
            return -1;
        first = (unsigned)own + 1;
    }
    return first <= last ? REAL(close_range)(first, last, flags) : 0;
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    if (!state.active)
        return REAL(close_range)(first, last, flags);
    if (first > last)
        return (int)hook_result(-EINVAL);
    if (!(flags & CLOSE_RANGE_CLOEXEC))
        drop_range(first, last);
    return close_around(first, last, flags);
}

EXPORT void closefrom(int first)
{
    if (!state.active) {
        REAL(closefrom)(first);
        return;
    }
    drop_range(first < 0 ? 0 : (unsigned)first, ~0u);
    close_around(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

EXPORT int dup(int fd)
{
    int to = REAL(dup)(fd);
    if (to >= 0 && (fdtab_has(fd) || fdtab_has(to)) && is_table_ours(fd))
        fdtab_copy(fd, to);
    return to;
}

EXPORT int dup2(int fd, int to)
{
    if (ownfd_is(to))
        return (int)hook_result(-EBUSY);
    int r = REAL(dup2)(fd, to);
    if (r >= 0 && fd != to && (fdtab_has(fd) || fdtab_has(to)) && is_table_ours(fd))
        fdtab_copy(fd, to);
    return r;
}

EXPORT int dup3(int fd, int to, int flags)
{
    if (ownfd_is(to))
        return (int)hook_result(-EBUSY);
    int r = REAL(dup3)(fd, to, flags);
    if (r >= 0 && (fdtab_has(fd) || fdtab_has(to)) && is_table_ours(fd))
        fdtab_copy(fd, to);
    return r;
}

/* Record locks on a file that never changes and is open for reading: a read lock is always free, a
 * write lock is refused as on any descriptor that is open for reading. */
static int lock_mapped(int command, struct flock *lock)
{
    if (command == F_GETLK || command == F_OFD_GETLK) {
        lock->l_type = F_UNLCK;
        return 0;
    }
    return lock->l_type == F_WRLCK ? -EBADF : 0;
}

static int fcntl_mapped(struct file *f, int fd, int command, void *arg)
{
    int r;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        r = REAL(fcntl)(fd, command, arg);
        if (r >= 0 && is_table_ours(fd))
            fdtab_copy(fd, r);
        return r < 0 ? -errno : r;
    case F_GETFL:
        r = REAL(fcntl)(fd, command);
        if (r < 0)
            return -errno;
        return (r & ~(O_ACCMODE | O_PATH)) | O_RDONLY | (f->path_only ? O_PATH : 0) |
               (f->kind == FILE_DIRECTORY ? O_DIRECTORY : 0);
    case F_SETLK:
    case F_SETLKW:
    case F_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
    case F_OFD_GETLK:
        return lock_mapped(command, arg);
    case F_GET_SEALS:
    case F_ADD_SEALS:
        return -EINVAL;
    case F_GETLEASE:
        return F_UNLCK;
    case F_SETLEASE:
    case F_NOTIFY:
        return -EINVAL;
    default:
        if (command != F_GETFD && command != F_SETFD)
            f->changed = true;
        r = REAL(fcntl)(fd, command, arg);
        return r < 0 ? -errno : r;
    }
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);
    PINNED struct file *f = fdtab_get(fd);
    if (f)
        return (int)hook_result(fcntl_mapped(f, fd, command, arg));
    int r = REAL(fcntl)(fd, command, arg);
    if (r >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC) && fdtab_has(r) &&
        is_table_ours(fd))
        fdtab_drop(r);
    return r;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(ioctl)(fd, request, arg);
    if (request == FIOCLEX || request == FIONCLEX || request == FIONBIO)
        return REAL(ioctl)(fd, request, arg);
    if (request == FIONREAD && f->kind == FILE_REGULAR) {
        off_t rest = (off_t)f->object->size_bytes - offset_tell(f, fd);
        *(int *)arg = rest > 0x7fffffff ? 0x7fffffff : rest > 0 ? (int)rest : 0;
        return 0;
    }
    return (int)hook_result(-ENOTTY);
}

EXPORT int lockf(int fd, int command, off_t len)
{
    if (!fdtab_has(fd))
        return REAL(lockf)(fd, command, len);
    return command == F_TEST || command == F_ULOCK ? 0 : (int)hook_result(-EBADF);
}

/* A file's placeholder can be locked; what stands for a directory can't, and nothing in it changes.
 */
EXPORT int flock(int fd, int operation)
{
    PINNED struct file *f = fdtab_get(fd);
    if (f && f->kind == FILE_DIRECTORY && !f->path_only)
        return 0;
    return REAL(flock)(fd, operation);
}

/* Returns the error instead of setting errno. */
EXPORT int posix_fallocate(int fd, off_t offset, off_t len)
{
    return fdtab_has(fd) ? EBADF : REAL(posix_fallocate)(fd, offset, len);
}

static int new_pair(int r, const int fds[2])
{
    if (r == 0) {
        hook_new_fd(fds[0]);
        hook_new_fd(fds[1]);
    }
    return r;
}

EXPORT int pipe(int fds[2])
{
    return new_pair(REAL(pipe)(fds), fds);
}

EXPORT int pipe2(int fds[2], int flags)
{
    return new_pair(REAL(pipe2)(fds, flags), fds);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
    return new_pair(REAL(socketpair)(domain, type, protocol, fds), fds);
}
