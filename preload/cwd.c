#include "preload/cwd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/log.h"
#include "preload/real.h"
#include "preload/state.h"

static struct {
    volatile bool mapped;
    volatile bool child_moved; /* a vfork child went elsewhere: the kernel knows where */
    size_t len;
    char path[PATH_MAX + 1];
} cwd;

const char *cwd_standin_path(const char *real_path)
{
    size_t prefix = state.runtime_dir_len + 4;
    if (!state.runtime_dir_len || strlen(real_path) <= prefix ||
        memcmp(real_path, state.runtime_dir, state.runtime_dir_len) != 0 ||
        memcmp(real_path + state.runtime_dir_len, "/cwd/", 5) != 0)
        return NULL;
    const char *path = real_path + prefix;
    size_t len = strlen(path);
    return map_find(&state.map, path, len) || map_below(&state.map, path, len) ? path : NULL;
}

/* Where a vfork child is, as its parent's memory doesn't say. Length, or 0: in a real directory. */
static size_t child_directory(char *out, size_t size)
{
    char real_path[PATH_MAX];
    const char *path = NULL;
    if (syscall(SYS_getcwd, real_path, sizeof(real_path)) > 1)
        path = cwd_standin_path(real_path);
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || len >= size)
        return 0;
    memcpy(out, path, len + 1);
    return len;
}

static bool is_child_elsewhere(void)
{
    return __builtin_expect(cwd.child_moved, 0) && state_in_vfork_child();
}

bool cwd_is_mapped(void)
{
    char path[PATH_MAX];
    return is_child_elsewhere() ? child_directory(path, sizeof(path)) > 0 : cwd.mapped;
}

ssize_t cwd_get(char *out, size_t size)
{
    if (is_child_elsewhere()) {
        size_t len = child_directory(out, size);
        return len ? (ssize_t)len : -ERANGE;
    }
    if (cwd.len >= size)
        return -ERANGE;
    memcpy(out, cwd.path, cwd.len + 1);
    return (ssize_t)cwd.len;
}

/* RUNTIME/cwd/data/sub, made with its parents. 0 or -errno. */
int cwd_standin(const char *path, char *out, size_t size)
{
    int saved_errno = errno; /* that a directory is there already is no news to the job */
    int n = snprintf(out, size, "%s/cwd%s", state.runtime_dir, path);
    if (!state.runtime_dir_len)
        return -EACCES;
    if (n < 0 || (size_t)n >= size)
        return -ENAMETOOLONG;
    for (size_t i = state.runtime_dir_len + 1; i <= (size_t)n; i++) {
        if (out[i] != '/' && out[i] != '\0')
            continue;
        char kept = out[i];
        out[i] = '\0';
        int r = REAL(mkdir)(out, 0700);
        out[i] = kept;
        if (r < 0 && errno != EEXIST)
            return -errno;
    }
    errno = saved_errno;
    return 0;
}

int cwd_enter(const char *path, size_t len)
{
    char standin[PATH_MAX + 512];
    int r = cwd_standin(path, standin, sizeof(standin));
    if (r == 0 && REAL(chdir)(standin) < 0)
        r = -errno;
    if (r < 0) {
        log_warn("path", "cannot go to %s: no stand-in directory below %s: %s", path,
                 state.runtime_dir_len ? state.runtime_dir : "/tmp or $XDG_RUNTIME_DIR",
                 strerror(-r));
        return -EACCES;
    }
    if (state_in_vfork_child()) {
        cwd.child_moved = true; /* its parent stays where it is */
        return 0;
    }
    memcpy(cwd.path, path, len + 1);
    cwd.len = len;
    cwd.mapped = true;
    return 0;
}

void cwd_settle(void)
{
    char path[PATH_MAX];
    int error = errno;
    if (!state.active)
        return;
    long n = syscall(SYS_getcwd, path, sizeof(path));
    if (n > 1 && map_find(&state.map, path, (size_t)n - 1))
        cwd_enter(path, (size_t)n - 1);
    else if (cwd.mapped && state_in_vfork_child())
        cwd.child_moved = true;
    else
        cwd.mapped = false;
    errno = error;
}

void cwd_inherit(void)
{
    char real_path[PATH_MAX];
    long n = syscall(SYS_getcwd, real_path, sizeof(real_path));
    if (n <= 1 || real_path[0] != '/')
        return;
    if (map_find(&state.map, real_path, (size_t)n - 1)) {
        /* A local directory of the mapping's name: the job was started in what the mapping hides.
         */
        cwd_enter(real_path, (size_t)n - 1);
        return;
    }
    const char *path = cwd_standin_path(real_path);
    if (!path)
        return;
    size_t len = strlen(path);
    memcpy(cwd.path, path, len + 1);
    cwd.len = len;
    cwd.mapped = true;
}

static int open_standin(const char *path, bool close_on_exec)
{
    char standin[PATH_MAX + 512];
    int r = cwd_standin(path, standin, sizeof(standin));
    if (r < 0)
        return r;
    int fd = REAL(open)(standin, O_PATH | O_DIRECTORY | (close_on_exec ? O_CLOEXEC : 0));
    return fd < 0 ? -errno : fd;
}

int cwd_open_standin(bool close_on_exec)
{
    return open_standin("", close_on_exec);
}

/* Is the descriptor one of cwd_open_standin(), which tells no directory yet? */
static bool is_unnamed(int fd)
{
    char name[32], path[PATH_MAX];
    size_t len = state.runtime_dir_len;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof(path));
    return len && n == (long)len + 4 && memcmp(path, state.runtime_dir, len) == 0 &&
           memcmp(path + len, "/cwd", 4) == 0;
}

void cwd_name_standin(int fd, const char *path)
{
    int saved_errno = errno;
    int named = is_unnamed(fd) ? open_standin(path, true) : -1;
    if (named >= 0) {
        /* Again, and right before: another thread may have closed it, and the number be a file's.
         */
        int flags = REAL(fcntl)(fd, F_GETFD);
        if (is_unnamed(fd))
            REAL(dup3)(named, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
        syscall(SYS_close, named);
    }
    errno = saved_errno;
}
