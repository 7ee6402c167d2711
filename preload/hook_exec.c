/* Executing: what lies under a mapping is no file to the kernel (program.h). Everything here may
 * run in a vfork child: no malloc, nothing left in tables. */
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "preload/handover.h"
#include "preload/hook.h"
#include "preload/proc.h"
#include "preload/program.h"
#include "preload/search.h"

extern char **environ;

#define BUSY_WAIT_MS  2
#define BUSY_ATTEMPTS 500

/* A child that another thread forked while a copy was written holds it open until it executes
 * something. */
static int run_program(const struct program *p, char *const env[])
{
    handover_before(p->path, env);
    env = PROGRAM_ENVIRONMENT(p, env);
    for (int i = 0; i < BUSY_ATTEMPTS; i++) {
        REAL(execve)(p->path, p->args, env);
        if (errno != ETXTBSY || p->path != p->copy)
            break;
        poll(NULL, 0, BUSY_WAIT_MS);
    }
    return -errno;
}

static int run_mapped(const char *path, char *const args[], char *const env[])
{
    struct program p;
    char **room = __builtin_alloca(PROGRAM_ARGS_ROOM(program_count_args(args)) * sizeof(*room));
    int r = program_prepare(&p, path, args, env, room);
    if (r < 0)
        return r;
    proc_share_offsets();
    return run_program(&p, env);
}

/* Only comes back with -errno. */
static int run(const char *path, char *const args[], char *const env[])
{
    if (!target_is_elsewhere(AT_FDCWD, path))
        return run_mapped(path, args, env);
    proc_share_offsets();
    handover_before(path, env);
    REAL(execve)(path, args, env);
    if (errno == ENOENT && state.active && program_needs_mapping(path))
        return run_mapped(path, args, env);
    return -errno;
}

EXPORT int execve(const char *path, char *const args[], char *const env[])
{
    return (int)hook_result(run(path, args, env));
}

EXPORT int execv(const char *path, char *const args[])
{
    return (int)hook_result(run(path, args, environ));
}

/* --- the search in PATH ------------------------------------------------------------------ */

/* What is no program goes to the shell. */
static int run_by_shell(const char *path, char *const args[], char *const env[])
{
    static const char shell[] = "/bin/sh";
    size_t n = program_count_args(args);
    char **all = __builtin_alloca((n + 3) * sizeof(*all));
    all[0] = (char *)(uintptr_t)shell;
    all[1] = (char *)(uintptr_t)path;
    for (size_t i = 1; i <= n; i++)
        all[i + 1] = args[i];
    all[n > 1 ? n + 1 : 2] = NULL;
    return run(shell, all, env);
}

static int run_or_shell(const char *path, char *const args[], char *const env[])
{
    int r = run(path, args, env);
    return r == -ENOEXEC ? run_by_shell(path, args, env) : r;
}

/* An error after which the search goes on, as in libc. */
static bool is_not_there(int error)
{
    return error == -ENOENT || error == -ESTALE || error == -ENOTDIR || error == -ENODEV ||
           error == -ETIMEDOUT || error == -EACCES;
}

static int run_found(const char *name, char *const args[], char *const env[])
{
    char path[PATH_MAX];
    bool refused = false;
    if (!*name)
        return -ENOENT;
    if (strchr(name, '/'))
        return run_or_shell(name, args, env);
    if (strlen(name) > NAME_MAX)
        return -ENAMETOOLONG;
    int r = -ENOENT;
    for (const char *rest = search_path(); rest;) {
        if (!search_next(&rest, name, path))
            continue;
        r = run_or_shell(path, args, env);
        refused |= r == -EACCES;
        if (!is_not_there(r))
            return r;
    }
    return refused ? -EACCES : r;
}

EXPORT int execvpe(const char *name, char *const args[], char *const env[])
{
    if (!hook_is_active()) {
        proc_share_offsets();
        return REAL(execvpe)(name, args, env);
    }
    return (int)hook_result(run_found(name, args, env));
}

EXPORT int execvp(const char *name, char *const args[])
{
    return execvpe(name, args, environ);
}

/* --- lists of arguments ------------------------------------------------------------------ */

static size_t count_list(va_list from)
{
    size_t n = 1;
    va_list args;
    va_copy(args, from);
    while (va_arg(args, char *))
        n++;
    va_end(args);
    return n;
}

/* The list form as an array, on the stack. */
#define ARGS_OF(arg, list)                                                                         \
    va_list list;                                                                                  \
    va_start(list, arg);                                                                           \
    size_t n_args = arg ? count_list(list) : 0;                                                    \
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

/* --- by descriptor ----------------------------------------------------------------------- */

static int run_open(struct file *f, char *const args[], char *const env[])
{
    struct program p;
    char **room = __builtin_alloca(PROGRAM_ARGS_ROOM(program_count_args(args)) * sizeof(*room));
    int r = program_prepare_file(&p, f, args, env, room);
    if (r < 0)
        return r;
    proc_share_offsets();
    return run_program(&p, env);
}

EXPORT int fexecve(int fd, char *const args[], char *const env[])
{
    PINNED struct file *f = fdtab_get(fd);
    if (f)
        return (int)hook_result(run_open(f, args, env));
    proc_share_offsets();
    return REAL(fexecve)(fd, args, env);
}

EXPORT int execveat(int at, const char *path, char *const args[], char *const env[], int flags)
{
    struct target t;
    if ((flags & AT_EMPTY_PATH) && !*path && fdtab_has(at))
        return fexecve(at, args, env);
    int r = hook_find(at, path, &t);
    if (r < 0)
        return (int)hook_result(r);
    if (r > 0)
        return (int)hook_result(run(t.path, args, env));
    proc_share_offsets();
    return REAL(execveat)(at, path, args, env, flags);
}
