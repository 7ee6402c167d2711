/* warmpath stop, warmpath evict. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tool/agent_call.h"
#include "tool/commands.h"

#define STOP_TRIES   200
#define STOP_WAIT_US 50000

/* A field of STATUS, or -1. Objects within it are named by a path of two. */
static json_int_t ask(const char *object, const char *field)
{
    char reply[WIRE_MAX_BYTES];
    ssize_t n = agent_call(WIRE_STATUS, reply, sizeof(reply));
    json_t *status = n > 0 ? json_loadb(reply, (size_t)n, 0, NULL) : NULL;
    const json_t *in = object ? json_object_get(status, object) : status;
    const json_t *value = json_object_get(in, field);
    json_int_t number = json_is_true(value)      ? 1
                        : json_is_integer(value) ? json_integer_value(value)
                        : value                  ? 0
                                                 : -1;
    json_decref(status);
    return number;
}

/* Gone, or dead and waiting for whoever reaps it. */
static bool is_gone(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return true;
    const char *state = strrchr(text, ')');
    return !state || state[2] == 'Z' || state[2] == 'X';
}

/* Ends the agent and waits until it is gone. */
int cmd_stop(int n_args, char **args)
{
    char reply[256];
    (void)args;
    if (n_args > 1) {
        fprintf(stderr, "usage: warmpath stop\n");
        return 2;
    }
    pid_t pid = (pid_t)ask(NULL, "pid");
    ssize_t n = agent_call(WIRE_STOP, reply, sizeof(reply));
    if (n == -ENOENT) {
        puts("no agent is running");
        return 0;
    }
    if (n < 0)
        return 1;
    for (int i = 0; i < STOP_TRIES; i++) {
        if (pid <= 0 || is_gone(pid)) {
            puts("the agent has ended");
            return 0;
        }
        usleep(STOP_WAIT_US);
    }
    fprintf(stderr, "warmpath: the agent has not ended yet\n");
    return 1;
}

int cmd_evict(int n_args, char **args)
{
    char reply[256];
    (void)args;
    if (n_args > 1) {
        fprintf(stderr, "usage: warmpath evict\n");
        return 2;
    }
    json_int_t before = ask("store", "used_bytes");
    ssize_t n = agent_call(WIRE_EVICT, reply, sizeof(reply));
    if (n == -ENOENT) {
        fprintf(stderr,
                "warmpath: no agent is running; its cache directory can simply be removed\n");
        return 1;
    }
    if (n < 0)
        return 1;
    while (ask("store", "emptying") == 1)
        usleep(STOP_WAIT_US);
    json_int_t after = ask("store", "used_bytes");
    printf("%.1f MiB freed\n", before > after ? (double)(before - after) / (1 << 20) : 0.0);
    return 0;
}
