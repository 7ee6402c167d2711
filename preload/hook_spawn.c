/* posix_spawn: libc makes the child and does there what it was asked to, past every hook. */
#include <poll.h>
#include <string.h>

#include "preload/handover.h"
#include "preload/hook.h"
#include "preload/proc.h"
#include "preload/program.h"
#include "preload/search.h"
#include "preload/spawn_actions.h"

#define BUSY_WAIT_MS  2
#define BUSY_ATTEMPTS 500

/* 0 or -errno. */
static int spawn_real(pid_t *pid, const char *path, const posix_spawn_file_actions_t *given,
                      const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    struct spawn_actions actions;
    if (!state.active)
        return -REAL(posix_spawn)(pid, path, given, attributes, args, env);
    int r = spawn_actions_begin(&actions, given, !fdtab_in_use() || handover_is_served(path, env));
    proc_share_offsets();
    handover_before(path, env);
    if (r == 0)
        r = -REAL(posix_spawn)(pid, path, actions.use, attributes, args, env);
    spawn_actions_end(&actions);
    return r;
}

static int spawn_mapped(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    struct program p;
    char **room = __builtin_alloca(PROGRAM_ARGS_ROOM(program_count_args(args)) * sizeof(*room));
    int r = program_prepare(&p, path, args, env, room);
    env = PROGRAM_ENVIRONMENT(&p, env);
    for (int i = 0; i < BUSY_ATTEMPTS && r == 0; i++) {
        r = spawn_real(pid, p.path, actions, attributes, p.args, env);
        if (r != -ETXTBSY || p.path != p.copy)
            break;
        poll(NULL, 0, BUSY_WAIT_MS); /* see run_program() in hook_exec.c */
        r = 0;
    }
    return r;
}

static int spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    if (!target_is_elsewhere(AT_FDCWD, path))
        return spawn_mapped(pid, path, actions, attributes, args, env);
    int r = spawn_real(pid, path, actions, attributes, args, env);
    if (r == -ENOENT && state.active && program_needs_mapping(path))
        return spawn_mapped(pid, path, actions, attributes, args, env);
    return r;
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    int saved_errno = errno;
    int r = spawn(pid, path, actions, attributes, args, env);
    errno = saved_errno;
    return -r;
}

/* Is this what a search in PATH ends at? */
static bool is_candidate(const char *path)
{
    struct stat st;
    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

EXPORT int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const args[], char *const env[])
{
    char path[PATH_MAX];
    if (strchr(name, '/'))
        return posix_spawn(pid, name, actions, attributes, args, env);
    int saved_errno = errno;
    const char *rest = *name && hook_is_active() ? search_path() : NULL;
    while (rest)
        if (search_next(&rest, name, path) && is_candidate(path)) {
            errno = saved_errno;
            return posix_spawn(pid, path, actions, attributes, args, env);
        }
    errno = saved_errno;
    proc_share_offsets();
    return REAL(posix_spawnp)(pid, name, actions, attributes, args, env);
}
