/* Asking the agent. Any thread; no lock is held while waiting; a forked child gets connections of
 * its own. */
#ifndef WARMPATH_PRELOAD_CLIENT_H
#define WARMPATH_PRELOAD_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/wire.h"
#include "preload/target.h"

#define CLIENT_REQUEST_BYTES 6144 /* name and the longest continuation token */
#define CLIENT_REPLY_BYTES   2048

/* One request and its reply. The caller puts the body into `out` after client_begin(), reads it
 * from `in` after client_call(). */
struct client_call {
    struct wire_buf out;
    struct wire_buf in;
    int fds[WIRE_MAX_FDS]; /* of the reply: the caller's to close */
    int n_fds;
    uint8_t request[CLIENT_REQUEST_BYTES];
    uint8_t reply[CLIENT_REPLY_BYTES]; /* where the caller brought no larger room */
};

void client_begin(struct client_call *c, enum wire_op op);
void client_put_name(struct client_call *c, const struct mapping *m, const char *key,
                     size_t key_len);

/* Sends, waits, starts the agent if there is none, tries again if it dies. 0, or -errno when the
 * agent can't be had (the job's log was told), or -errno that the agent answered, in which case
 * `why` is set. `path` names the file in the log. `room` is for replies that are larger than usual,
 * or NULL. */
int client_call(struct client_call *c, const char *path, void *room, size_t room_bytes);

/* The same for replies that carry no status first. */
int client_call_raw(struct client_call *c, void *room, size_t room_bytes, size_t *len);

/* Sends a message that has no reply, and doesn't wait for it to be taken; only where there is no
 * connection at rest, one is made first (within its time, see client.c). An agent that isn't there,
 * or that takes nothing at the moment, does not get it; nobody is told. */
void client_tell(struct client_call *c);

/* The AWS_* variables, as they were at start; and the job's name. */
void client_init(void);

/* Makes sure that the agent was met (and state.block_bytes is known). 0 or -errno. */
int client_greet(bool may_start);

/* This job's name for the agent: "" when nobody named it. */
const char *client_job(void);

#endif
