/* Blocks: from the store, else fetched, once however many ask. Loop thread only. */
#ifndef WARMPATH_AGENT_BLOCKS_H
#define WARMPATH_AGENT_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"

struct block_result {
    int error; /* 0 or -errno: -ESTALE (replaced in S3), -EACCES, -EIO, -ENOENT */
    const char *why;
    int fd; /* read-only, borrowed for the call */
};

/* Embedded in the caller's request; must stay until woken or cancelled. */
struct block_waiter {
    struct block_waiter *prev, *next;
    struct flight *flight;   /* blocks.c's own; NULL when not waiting */
    struct context *context; /* set by the caller, as are the next two */
    struct job *job;
    void (*wake)(struct block_waiter *w, const struct block_result *r);
};

/* Fetches a block that the store does not hold. Wakes `w` once, perhaps before it returns. */
void blocks_fetch(struct agent *a, const struct version *v, uint64_t index, struct block_waiter *w);
void blocks_cancel(struct block_waiter *w);

/* The job was given blocks [first, first + count), of which the first was `missed`: fetches ahead
 * what policy/prefetch says. */
void blocks_ahead(struct agent *a, const struct version *v, uint64_t first, uint64_t count,
                  bool missed, struct context *context, struct job *job);

/* Was this stored block fetched ahead, and is it given to a job now for the first time? (For the
 * count of hits: it was not in the store when the job came.) */
bool blocks_was_ahead(const struct version *v, uint64_t index);

size_t blocks_in_flight(void);

#endif
