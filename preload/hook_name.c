/* Names: access, readlink, realpath, the working directory, pathconf, extended attributes. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cwd.h"
#include "preload/hook.h"
#include "preload/lookup.h"
#include "preload/mirror.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* --- access ----------------------------------------------------------------------------- */

EXPORT int access(const char *path, int mode)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        int done = REAL(access)(path, mode);
        if ((r = hook_follow(done < 0, AT_FDCWD, path, 0, &t)) == 0)
            return done;
    }
    return (int)hook_result(r < 0 ? r : lookup_access(&t, mode));
}

EXPORT int faccessat(int at, const char *path, int mode, int flags)
{
    struct target t;
    int r = hook_find(at, path, &t);
    if (r == 0) {
        int done = REAL(faccessat)(at, path, mode, flags);
        if ((r = hook_follow(done < 0, at, path, flags, &t)) == 0)
            return done;
    }
    return (int)hook_result(r < 0 ? r : lookup_access(&t, mode));
}

EXPORT int eaccess(const char *path, int mode)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        int done = REAL(eaccess)(path, mode);
        if ((r = hook_follow(done < 0, AT_FDCWD, path, 0, &t)) == 0)
            return done;
    }
    return (int)hook_result(r < 0 ? r : lookup_access(&t, mode));
}

/* --- links: there are none in S3 -------------------------------------------------------- */

/* "/proc/self/fd/7" is a link, to the file's path. */
static ssize_t read_descriptor_link(const struct target *t, char *buf, size_t n)
{
    size_t len = t->path_len < n ? t->path_len : n;
    memcpy(buf, t->path, len);
    return (ssize_t)len;
}

static ssize_t read_link(const struct target *t, char *buf, size_t n)
{
    struct stat st;
    if (t->descriptor)
        return read_descriptor_link(t, buf, n);
    int r = lookup_stat(t, &st);
    return r < 0 ? r : -EINVAL;
}

/* "/proc/self/exe" of a program that runs from a copy: the job knows it by its mapped path. */
static bool names_program(const char *path)
{
    size_t len = strlen(path);
    return len > 10 && strncmp(path, "/proc/", 6) == 0 && strcmp(path + len - 4, "/exe") == 0;
}

static ssize_t read_program_link(const char *path, char *buf, size_t n)
{
    char link[MIRROR_PATH_MAX + 16];
    ssize_t len = REAL(readlink)(path, link, sizeof(link) - 1);
    if (len < 0)
        return len;
    link[len] = '\0';
    const char *shown = mirror_shown(link);
    size_t shown_len = strlen(shown);
    memcpy(buf, shown, shown_len < n ? shown_len : n);
    return (ssize_t)(shown_len < n ? shown_len : n);
}

/* The one such name that is a link to a link: the kernel's to read. */
static bool is_second_link(int r, const struct target *t, const char *path)
{
    return r > 0 && t->descriptor && strcmp(path, "/dev/stdin") == 0;
}

EXPORT ssize_t readlink(const char *path, char *buf, size_t n)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0 || is_second_link(r, &t, path)) {
        if (state.active && names_program(path))
            return read_program_link(path, buf, n);
        ssize_t len = REAL(readlink)(path, buf, n);
        if ((r = hook_follow(len < 0, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &t)) == 0)
            return len;
    }
    return hook_result(r < 0 ? r : read_link(&t, buf, n));
}

EXPORT ssize_t readlinkat(int at, const char *path, char *buf, size_t n)
{
    struct target t;
    int r = hook_find(at, path, &t);
    if (r == 0 || is_second_link(r, &t, path)) {
        if (state.active && names_program(path))
            return read_program_link(path, buf, n);
        ssize_t len = REAL(readlinkat)(at, path, buf, n);
        if ((r = hook_follow(len < 0, at, path, AT_SYMLINK_NOFOLLOW, &t)) == 0)
            return len;
    }
    return hook_result(r < 0 ? r : read_link(&t, buf, n));
}

ssize_t __readlink_chk(const char *path, char *buf, size_t n, size_t room);
EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t n, size_t room)
{
    return n > room ? REAL(__readlink_chk)(path, buf, n, room) : readlink(path, buf, n);
}

ssize_t __readlinkat_chk(int at, const char *path, char *buf, size_t n, size_t room);
EXPORT ssize_t __readlinkat_chk(int at, const char *path, char *buf, size_t n, size_t room)
{
    return n > room ? REAL(__readlinkat_chk)(at, path, buf, n, room) : readlinkat(at, path, buf, n);
}

/* --- realpath --------------------------------------------------------------------------- */

static char *resolve_target(const struct target *t, char *resolved)
{
    struct stat st;
    int r = lookup_stat(t, &st);
    if (r < 0)
        return hook_null(r);
    if (!resolved)
        return strdup(t->path);
    if (t->path_len >= PATH_MAX)
        return hook_null(ENAMETOOLONG);
    return memcpy(resolved, t->path, t->path_len + 1);
}

static char *resolve_real(const char *path, char *resolved)
{
    char *found = REAL(realpath)(path, resolved);
    if (path && found && state.active && names_program(path)) {
        const char *shown = mirror_shown(found);
        memmove(found, shown, strlen(shown) + 1);
    }
    return found;
}

EXPORT char *realpath(const char *path, char *resolved)
{
    struct target t;
    int r = path ? hook_find(AT_FDCWD, path, &t) : 0;
    if (r == 0) {
        char *done = resolve_real(path, resolved);
        if ((r = hook_follow(!done, AT_FDCWD, path, 0, &t)) == 0)
            return done;
    }
    return r < 0 ? hook_null(r) : resolve_target(&t, resolved);
}

char *__realpath_chk(const char *path, char *resolved, size_t room);
EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room)
{
    return room < PATH_MAX ? REAL(__realpath_chk)(path, resolved, room) : realpath(path, resolved);
}

EXPORT char *canonicalize_file_name(const char *path)
{
    return realpath(path, NULL);
}

/* --- the working directory -------------------------------------------------------------- */

static int enter(const struct target *t)
{
    int r = lookup_directory(t);
    return r < 0 ? r : cwd_enter(t->path, t->path_len);
}

EXPORT int chdir(const char *path)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r != 0)
        return (int)hook_result(r < 0 ? r : enter(&t));
    int done = REAL(chdir)(path);
    if ((r = hook_follow(done < 0, AT_FDCWD, path, 0, &t)) != 0)
        return (int)hook_result(r < 0 ? r : enter(&t));
    if (done == 0)
        cwd_settle();
    return done;
}

EXPORT int fchdir(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    if (f && f->kind != FILE_DIRECTORY)
        return (int)hook_result(-ENOTDIR);
    if (f)
        return (int)hook_result(cwd_enter(f->target.path, f->target.path_len));
    int r = REAL(fchdir)(fd);
    if (r == 0)
        cwd_settle();
    return r;
}

EXPORT char *getcwd(char *buf, size_t n)
{
    if (!cwd_is_mapped())
        return REAL(getcwd)(buf, n);
    char path[PATH_MAX + 1];
    ssize_t len = cwd_get(path, sizeof(path));
    if (len < 0)
        return hook_null((int)len);
    if (buf && n == 0)
        return hook_null(EINVAL);
    if (n > 0 && (size_t)len >= n)
        return hook_null(ERANGE);
    if (!buf)
        buf = malloc(n > 0 ? n : (size_t)len + 1);
    return buf ? memcpy(buf, path, (size_t)len + 1) : NULL;
}

char *__getcwd_chk(char *buf, size_t n, size_t room);
EXPORT char *__getcwd_chk(char *buf, size_t n, size_t room)
{
    return n > room ? REAL(__getcwd_chk)(buf, n, room) : getcwd(buf, n);
}

EXPORT char *getwd(char *buf)
{
    return cwd_is_mapped() ? getcwd(buf, PATH_MAX) : REAL(getwd)(buf);
}

char *__getwd_chk(char *buf, size_t room);
EXPORT char *__getwd_chk(char *buf, size_t room)
{
    return cwd_is_mapped() && room >= PATH_MAX ? getcwd(buf, PATH_MAX)
                                               : REAL(__getwd_chk)(buf, room);
}

EXPORT char *get_current_dir_name(void)
{
    return cwd_is_mapped() ? getcwd(NULL, 0) : REAL(get_current_dir_name)();
}

/* --- pathconf and extended attributes ---------------------------------------------------- */

/* The answers of an ordinary directory. */
EXPORT long pathconf(const char *path, int name)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    struct stat st;
    if (r == 0) {
        long limit = REAL(pathconf)(path, name);
        if ((r = hook_follow(limit < 0, AT_FDCWD, path, 0, &t)) == 0)
            return limit;
    }
    r = r < 0 ? r : lookup_stat(&t, &st);
    return r < 0 ? hook_result(r) : REAL(pathconf)("/", name);
}

EXPORT long fpathconf(int fd, int name)
{
    return fdtab_has(fd) ? REAL(pathconf)("/", name) : REAL(fpathconf)(fd, name);
}

/* As libc makes it: of inode, device and number. */
EXPORT key_t ftok(const char *path, int number)
{
    struct target t;
    struct stat st;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        key_t key = REAL(ftok)(path, number);
        if ((r = hook_follow(key == -1, AT_FDCWD, path, 0, &t)) == 0)
            return key;
    }
    r = r < 0 ? r : lookup_stat(&t, &st);
    if (r < 0)
        return (key_t)hook_result(r);
    return (key_t)((st.st_ino & 0xffff) | (st.st_dev & 0xff) << 16 |
                   ((unsigned)number & 0xff) << 24);
}

/* What there is to say of a path of ours (1: `t`; negative: it can't be) that has no attribute. */
static ssize_t no_attribute(int r, const struct target *t, ssize_t nothing)
{
    struct stat st;
    if (r > 0)
        r = lookup_stat(t, &st);
    return hook_result(r < 0 ? r : nothing);
}

EXPORT ssize_t getxattr(const char *path, const char *name, void *value, size_t n)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        ssize_t len = REAL(getxattr)(path, name, value, n);
        if ((r = hook_follow(len < 0, AT_FDCWD, path, 0, &t)) == 0)
            return len;
    }
    return no_attribute(r, &t, -ENODATA);
}

EXPORT ssize_t lgetxattr(const char *path, const char *name, void *value, size_t n)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        ssize_t len = REAL(lgetxattr)(path, name, value, n);
        if ((r = hook_follow(len < 0, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &t)) == 0)
            return len;
    }
    return no_attribute(r, &t, -ENODATA);
}

EXPORT ssize_t listxattr(const char *path, char *list, size_t n)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        ssize_t len = REAL(listxattr)(path, list, n);
        if ((r = hook_follow(len < 0, AT_FDCWD, path, 0, &t)) == 0)
            return len;
    }
    return no_attribute(r, &t, 0);
}

EXPORT ssize_t llistxattr(const char *path, char *list, size_t n)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        ssize_t len = REAL(llistxattr)(path, list, n);
        if ((r = hook_follow(len < 0, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &t)) == 0)
            return len;
    }
    return no_attribute(r, &t, 0);
}
