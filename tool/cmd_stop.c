/* warmpath stop, warmpath evict. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/options.h"
#include "tool/agent_call.h"
#include "tool/commands.h"

#define STOP_TRIES   200
#define STOP_WAIT_US 50000

/* The agent holds its store's lock until its last moment. */
static bool is_gone(void)
{
    char path[4096 + 8];
    if (!option_cache_dir(path, 4096))
        return true;
    strcat(path, "/lock");
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
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
    ssize_t n = agent_call(WIRE_STOP, reply, sizeof(reply));
    if (n == -ENOENT) {
        puts("no agent is running");
        return 0;
    }
    if (n < 0)
        return 1;
    for (int i = 0; i < STOP_TRIES; i++) {
        if (is_gone()) {
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
    ssize_t n = agent_call(WIRE_EVICT, reply, sizeof(reply) - 1);
    if (n == -ENOENT) {
        fprintf(stderr,
                "warmpath: no agent is running; its cache directory can simply be removed\n");
        return 1;
    }
    if (n < 0)
        return 1;
    reply[n] = '\0';
    printf("%.1f MiB freed\n", strtod(reply, NULL) / (1 << 20));
    return 0;
}
