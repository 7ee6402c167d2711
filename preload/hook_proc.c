/* Processes. What a child inherits are placeholders, whose offset the kernel keeps: so before there
 * is a child, the offsets of open files go to the kernel. fork, forkpty and their like run the
 * handlers of pthread_atfork. vfork is not wrapped (its frame would be gone); a child of it comes
 * through here when it executes. */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/inherit.h"
#include "preload/proc.h"
#include "preload/report.h"

/* In a vfork child a number may by now be another file: only what is still a placeholder is
 * touched. */
static void share_if_still_ours(int fd, struct file *f)
{
    if (inherit_is_placeholder(fd))
        file_share(f, fd);
}

static void share(int fd, struct file *f)
{
    file_share(f, fd);
}

static void share_offsets(void)
{
    if (fdtab_in_use())
        fdtab_each(state_in_vfork_child() ? share_if_still_ours : share);
}

void proc_init(void)
{
    pthread_atfork(share_offsets, NULL, state_forked);
}

/* A program below a mapping is no file to the kernel. */
static bool cannot_run(const char **path, struct target *t)
{
    if (hook_find(AT_FDCWD, *path, t) == 0)
        return false;
    fault_unsupported("execve", *path, EACCES);
    errno = EACCES;
    return true;
}

EXPORT int execve(const char *path, char *const args[], char *const env[])
{
    struct target t;
    if (cannot_run(&path, &t))
        return -1;
    share_offsets();
    return REAL(execve)(path, args, env);
}

EXPORT int execv(const char *path, char *const args[])
{
    struct target t;
    if (cannot_run(&path, &t))
        return -1;
    share_offsets();
    return REAL(execv)(path, args);
}

EXPORT int execvp(const char *name, char *const args[])
{
    struct target t;
    if (strchr(name, '/') && cannot_run(&name, &t))
        return -1;
    share_offsets();
    return REAL(execvp)(name, args);
}

EXPORT int execvpe(const char *name, char *const args[], char *const env[])
{
    struct target t;
    if (strchr(name, '/') && cannot_run(&name, &t))
        return -1;
    share_offsets();
    return REAL(execvpe)(name, args, env);
}

static size_t count_args(va_list from)
{
    size_t n = 1;
    va_list args;
    va_copy(args, from);
    while (va_arg(args, char *))
        n++;
    va_end(args);
    return n;
}

/* The list form as an array, on the stack: there may be no malloc after vfork. */
#define ARGS_OF(arg, list)                                                                         \
    va_list list;                                                                                  \
    va_start(list, arg);                                                                           \
    size_t n_args = arg ? count_args(list) : 0;                                                    \
    char **args = __builtin_alloca((n_args + 1) * sizeof(*args));                                  \
    args[0] = (char *)(uintptr_t)arg;                                                              \
    for (size_t i = 1; i <= n_args; i++)                                                           \
        args[i] = va_arg(list, char *);

EXPORT int execl(const char *path, const char *arg, ...)
{
    ARGS_OF(arg, list)
    va_end(list);
    return execv(path, args);
}

EXPORT int execlp(const char *name, const char *arg, ...)
{
    ARGS_OF(arg, list)
    va_end(list);
    return execvp(name, args);
}

EXPORT int execle(const char *path, const char *arg, ...)
{
    ARGS_OF(arg, list)
    char *const *env = va_arg(list, char *const *);
    va_end(list);
    return execve(path, args, env);
}

EXPORT int fexecve(int fd, char *const args[], char *const env[])
{
    if (fdtab_has(fd)) {
        fault_unsupported("fexecve", args[0] ? args[0] : "?", EACCES);
        return (int)hook_result(-EACCES);
    }
    share_offsets();
    return REAL(fexecve)(fd, args, env);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    struct target t;
    if (cannot_run(&path, &t))
        return EACCES;
    share_offsets();
    return REAL(posix_spawn)(pid, path, actions, attributes, args, env);
}

EXPORT int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    struct target t;
    if (strchr(name, '/') && cannot_run(&name, &t))
        return EACCES;
    share_offsets();
    return REAL(posix_spawnp)(pid, name, actions, attributes, args, env);
}

EXPORT int system(const char *command)
{
    share_offsets();
    return REAL(system)(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
    share_offsets();
    return REAL(popen)(command, mode);
}

EXPORT void _exit(int status)
{
    report_at_end();
    REAL(_exit)(status);
    __builtin_unreachable();
}
