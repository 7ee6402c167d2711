/* What a spawned child opens and where it goes (posix_spawn_file_actions_…). libc carries that out
 * in the child by calls that nobody sees, so it is given names that the kernel knows: a
 * placeholder's in /proc/self/fd, and a stand-in directory's (cwd.h). Errors are returned, not put
 * into errno. */
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "preload/cwd.h"
#include "preload/hook.h"
#include "preload/ownfd.h"

/* Placeholders that wait for their actions' end. When all places are taken, a number stays open
 * until the process ends. */
#define WAITING 256

static struct waiting {
    _Atomic(const void *) actions; /* NULL: free */
    int fd;
} waiting[WAITING];

static void keep_until_destroyed(const posix_spawn_file_actions_t *actions, int fd)
{
    static const char taken;
    for (int i = 0; i < WAITING; i++) {
        const void *none = NULL;
        if (!atomic_compare_exchange_strong(&waiting[i].actions, &none, &taken))
            continue;
        waiting[i].fd = fd;
        atomic_store(&waiting[i].actions, actions);
        return;
    }
}

/* A placeholder that is in no table of ours, out of the job's way; -errno. */
static int open_placeholder(const struct target *t)
{
    int fd = file_open(t, O_RDONLY | O_CLOEXEC);
    PINNED struct file *f = fd >= 0 ? fdtab_get(fd) : NULL;
    if (fd < 0 || !f)
        return fd < 0 ? fd : -EBADF;
    fdtab_drop(fd);
    if (f->kind == FILE_REGULAR)
        return ownfd_take(fd);
    syscall(SYS_close, fd);
    return -EISDIR;
}

EXPORT int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd,
                                            const char *path, int flags, mode_t mode)
{
    struct target t;
    char link[32];
    int saved_errno = errno;
    int own = -1;
    if (hook_find(AT_FDCWD, path, &t) > 0 && (flags & O_ACCMODE) == O_RDONLY)
        own = open_placeholder(&t);
    errno = saved_errno;
    if (own < 0) /* not ours, or it can't be opened: then neither by the child */
        return REAL(posix_spawn_file_actions_addopen)(actions, fd, path, flags, mode);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", own);
    int r = REAL(posix_spawn_file_actions_addopen)(actions, fd, link,
                                                   (flags & ~O_ACCMODE) | O_WRONLY, mode);
    if (r == 0)
        keep_until_destroyed(actions, own);
    else
        ownfd_close(own);
    return r;
}

EXPORT int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    for (int i = 0; i < WAITING; i++) {
        const void *mine = actions;
        int fd = waiting[i].fd;
        if (atomic_load_explicit(&waiting[i].actions, memory_order_relaxed) == mine &&
            atomic_compare_exchange_strong(&waiting[i].actions, &mine, NULL))
            ownfd_close(fd);
    }
    return REAL(posix_spawn_file_actions_destroy)(actions);
}

/* 0 and the name for the child, or -errno. */
static int standin_of(const struct target *t, char *out, size_t size)
{
    struct stat st;
    int saved_errno = errno;
    int r = lookup_stat(t, &st);
    if (r == 0)
        r = S_ISDIR(st.st_mode) ? cwd_standin(t->path, out, size) : -ENOTDIR;
    errno = saved_errno;
    return r;
}

EXPORT int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
                                                const char *path)
{
    struct target t;
    char standin[PATH_MAX + 512];
    if (hook_find(AT_FDCWD, path, &t) > 0) {
        int r = standin_of(&t, standin, sizeof(standin));
        if (r == 0 || r == -ENOTDIR)
            path = r == 0 ? standin : "/dev/null"; /* no directory either */
    }
    return REAL(posix_spawn_file_actions_addchdir_np)(actions, path);
}

EXPORT int posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t *actions, int fd)
{
    char standin[PATH_MAX + 512];
    PINNED struct file *f = fdtab_get(fd);
    if (!f || f->kind != FILE_DIRECTORY || standin_of(&f->target, standin, sizeof(standin)) < 0)
        return REAL(posix_spawn_file_actions_addfchdir_np)(actions, fd);
    return REAL(posix_spawn_file_actions_addchdir_np)(actions, standin);
}
