/* What stands behind a name: asks S3 where it isn't known well enough. Loop thread only.
 *
 *   stat   HEAD → (404) list for a directory → (none) is the parent a file?
 *   open   GET of the beginning (1 MiB), conditional where that is here already; so a small file
 *          costs one request, and S3 has let the job read it. → as for stat
 *
 * Callers that ask for the same at the same time share one request. */
#ifndef WARMPATH_AGENT_LOOKUP_H
#define WARMPATH_AGENT_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"
#include "agent/meta.h"
#include "agent/store/buffer.h"

/* An open asks for so many bytes, or for a block where that is less. */
#define LOOKUP_BEGINNING BUFFER_BYTES

enum lookup_how { LOOKUP_STAT, LOOKUP_OPEN };

struct lookup_name {
    char bucket[256];
    char key[WIRE_KEY_MAX + 1];
    uint8_t style;
};

struct lookup_result {
    int error; /* 0 or -errno; -ENOENT, -ENOTDIR, -EACCES, -EIO */
    const char *why;
    struct meta meta;
    int block_fd; /* open of a file: block 0 if all of it was fetched just now, else -1; borrowed */
};

/* Embedded in the caller's request; must stay until woken or cancelled. */
struct lookup_waiter {
    struct lookup_waiter *prev, *next;
    struct lookup *lookup; /* lookup.c's own; NULL when not waiting */
    void (*wake)(struct lookup_waiter *w, const struct lookup_result *r);
};

struct lookup_request {
    struct context *context;
    struct job *job; /* whose numbers the requests to S3 go to; may be NULL */
    const struct lookup_name *name;
    enum lookup_how how;
    int64_t ttl_ms;      /* how long knowledge is trusted */
    bool want_directory; /* a hint: the caller expects a directory */
    bool ahead;          /* nobody waits yet */
};

/* Wakes `w` once, perhaps before it returns. */
void lookup_start(struct agent *a, const struct lookup_request *request, struct lookup_waiter *w);
void lookup_cancel(struct lookup_waiter *w);

/* Would that be answered from memory? */
bool lookup_is_known(const struct lookup_request *request);

/* How long from now an open of that name needs no request to S3; 0: it does. */
uint32_t lookup_fresh_ms(struct context *context, const struct lookup_name *name, int64_t ttl_ms);

/* Version of a known file. Any thread. */
void lookup_version(struct s3_context *s3, const struct lookup_name *name, const struct meta *m,
                    uint32_t block_bytes, struct version *out);

#endif
