/* open and its kin. */
#include <stdarg.h>

#include "preload/hook.h"
#include "preload/refuse.h"

static bool has_mode(int flags)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static int open_target(const char *path, const struct target *t, int flags)
{
    bool changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)) ||
                   (flags & O_TMPFILE) == O_TMPFILE;
    int r = changes && !(flags & O_PATH) ? refuse_open(path, flags, t) : 0;
    return r < 0 ? r : file_open(t, flags);
}

static int no_follow(int flags)
{
    return flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
}

/* Could what is opened be changed by it, or by names that start from it? */
static bool changes_or_leads(int flags)
{
    return flags & (O_CREAT | O_DIRECTORY | O_PATH);
}

#define MODE_OF(flags, mode)                                                                       \
    mode_t mode = 0;                                                                               \
    if (has_mode(flags)) {                                                                         \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode = va_arg(args, mode_t);                                                               \
        va_end(args);                                                                              \
    }

EXPORT int open(const char *path, int flags, ...)
{
    struct target t;
    MODE_OF(flags, mode)
    int r = changes_or_leads(flags) ? hook_find_writing(AT_FDCWD, path, no_follow(flags), &t)
                                    : hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        int fd = hook_new_fd(REAL(open)(path, flags, mode));
        r = hook_follow(fd < 0, AT_FDCWD, path, no_follow(flags), &t);
        if (r == 0)
            return fd;
    }
    return (int)hook_result(r < 0 ? r : open_target(path, &t, flags));
}

EXPORT int openat(int at, const char *path, int flags, ...)
{
    struct target t;
    MODE_OF(flags, mode)
    int r = changes_or_leads(flags) ? hook_find_writing(at, path, no_follow(flags), &t)
                                    : hook_find(at, path, &t);
    if (r == 0) {
        int fd = hook_new_fd(REAL(openat)(at, path, flags, mode));
        r = hook_follow(fd < 0, at, path, no_follow(flags), &t);
        if (r == 0)
            return fd;
    }
    return (int)hook_result(r < 0 ? r : open_target(path, &t, flags));
}

EXPORT int creat(const char *path, mode_t mode)
{
    struct target t;
    int r = hook_find_writing(AT_FDCWD, path, 0, &t);
    if (r == 0) {
        int fd = hook_new_fd(REAL(creat)(path, mode));
        r = hook_follow(fd < 0, AT_FDCWD, path, 0, &t);
        if (r == 0)
            return fd;
    }
    return (int)hook_result(r < 0 ? r : open_target(path, &t, O_CREAT | O_WRONLY | O_TRUNC));
}

int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        int fd = hook_new_fd(REAL(__open_2)(path, flags));
        r = hook_follow(fd < 0, AT_FDCWD, path, no_follow(flags), &t);
        if (r == 0)
            return fd;
    }
    return (int)hook_result(r < 0 ? r : open_target(path, &t, flags));
}

int __openat_2(int at, const char *path, int flags);
EXPORT int __openat_2(int at, const char *path, int flags)
{
    struct target t;
    int r = hook_find(at, path, &t);
    if (r == 0) {
        int fd = hook_new_fd(REAL(__openat_2)(at, path, flags));
        r = hook_follow(fd < 0, at, path, no_follow(flags), &t);
        if (r == 0)
            return fd;
    }
    return (int)hook_result(r < 0 ? r : open_target(path, &t, flags));
}
