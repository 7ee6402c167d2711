/* credential_process: a program of the user's that prints credentials as JSON. It runs in the
 * agent, by /bin/sh, with the agent's PATH and the job's AWS_* variables, in a process group of its
 * own. What it writes to standard error is dropped: it may hold anything.
 * Source: AWS SDKs and Tools Reference Guide, "Process credential provider". */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "fetch/credentials_internal.h"

#define OUTPUT_MAX     (64UL * 1024)
#define PROCESS_MAX_MS 60000

extern char **environ;

/* The job's variables before the agent's own. NULL when memory is short; free() the array. */
static char **make_environment(const struct aws_env *env)
{
    size_t n = 0, at = 0;
    for (char **var = environ; var && *var; var++)
        n++;
    for (const char *const *var = env->vars; var && *var; var++)
        n++;
    char **all = calloc(n + 1, sizeof(*all));
    for (const char *const *var = env->vars; all && var && *var; var++)
        all[at++] = (char *)(uintptr_t)*var;
    for (char **var = environ; all && var && *var; var++) {
        char name[128];
        size_t len = strcspn(*var, "=");
        if (len >= sizeof(name))
            continue;
        memcpy(name, *var, len);
        name[len] = '\0';
        if (!aws_env_get(env, name))
            all[at++] = *var;
    }
    return all;
}

static int start(const struct search *s, const char *command, int out_fd, pid_t *pid)
{
    char shell[] = "sh", option[] = "-c";
    char *const args[] = {shell, option, (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    CLEANUP_FREE char **all = make_environment(s->env);
    if (!all)
        return ENOMEM;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGHUP);
    sigaddset(&usual, SIGXFSZ);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    /* Not all that libraries open is closed by exec: curl wakes its threads by pairs of sockets. */
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    int error = posix_spawn(pid, "/bin/sh", &actions, &attributes, args, all);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* Reads until the program closes its output. False when time is over or it says too much. */
static bool read_all(const struct search *s, int fd, int64_t until_ms, char *text, size_t *len)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (*len == OUTPUT_MAX || clock_monotonic_ms() >= until_ms ||
            (s->patience->stop && atomic_load(s->patience->stop)))
            return false;
        int ready = poll(&wait, 1, 50);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready <= 0)
            continue;
        ssize_t got = read(fd, text + *len, OUTPUT_MAX - *len);
        if (got < 0 && errno != EINTR)
            return false;
        if (got == 0)
            return true;
        *len += got > 0 ? (size_t)got : 0;
    }
}

/* Its exit status; -1 when it had to be killed. */
static int reap(const struct search *s, pid_t pid, bool complete, int64_t until_ms)
{
    int status = 0;
    bool killed = false;
    for (;;) {
        if (!killed && (!complete || clock_monotonic_ms() >= until_ms ||
                        (s->patience->stop && atomic_load(s->patience->stop)))) {
            kill(-pid, SIGKILL);
            killed = true;
        }
        pid_t done = waitpid(pid, &status, killed ? 0 : WNOHANG);
        if (done == pid || (done < 0 && errno != EINTR))
            break;
        poll(NULL, 0, 10);
    }
    if (killed)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const struct search *s, const char *command, struct credentials *out)
{
    char place[64];
    int ends[2];
    pid_t pid;
    int64_t until_ms = clock_monotonic_ms() + search_timeout_ms(s, PROCESS_MAX_MS);
    CLEANUP_FREE char *text = malloc(OUTPUT_MAX);
    size_t len = 0;

    snprintf(place, sizeof(place), "credential_process of profile %.24s", s->profile->name);
    if (!text || pipe2(ends, O_CLOEXEC) < 0)
        return search_fail(s, "%s could not be started: %s", place, strerror(errno));
    CLEANUP_CLOSE int from = ends[0];
    int error = start(s, command, ends[1], &pid);
    close(ends[1]);
    if (error)
        return search_fail(s, "%s could not be started: %s", place, strerror(error));
    bool complete = read_all(s, from, until_ms, text, &len);
    int status = reap(s, pid, complete, until_ms);
    int found;
    if (status < 0)
        found = search_fail(s, "%s did not end in time, or wrote too much: run it by hand", place);
    else if (status > 0)
        found = search_fail(s, "%s failed with exit status %d: run it by hand to see why", place,
                            status);
    else
        found = search_take_json(s, out, place, text, len);
    OPENSSL_cleanse(text, len);
    return found;
}

int search_process(const struct search *s, struct credentials *out)
{
    const char *command = aws_profile_get(s->profile, "credential_process");
    if (!command)
        return 0;
    return s->patience ? run(s, command, out) : -EINPROGRESS;
}
