/* Blocks that are not in the store: fetched, once however many ask. Loop thread only, but for
 * blocks_seed().
 *
 * A reader in sequence gets its block and those ahead as policy/prefetch says; a random one gets
 * the pieces that it needs, and the whole block when it comes back for more. Either gets its bytes
 * as soon as they are there, before the block is complete. */
#ifndef WARMPATH_AGENT_BLOCKS_H
#define WARMPATH_AGENT_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"
#include "agent/partial.h"
#include "policy/prefetch.h"

struct block_result {
    int error; /* 0 or -errno: -ESTALE (replaced in S3), -EACCES, -EIO, -ENOENT */
    const char *why;
    int fd;            /* read-only, borrowed for the call */
    struct span ready; /* what may be read from it */
    /* ready is all of the block, and the file is what the store has; not said of one in memory to
     * who doesn't map it anyway */
    bool complete;
};

/* Embedded in the caller's request; must stay until woken or cancelled. */
struct block_waiter {
    struct block_waiter *prev, *next;
    struct gather *gather; /* gather.c's own; NULL when not waiting */
    struct span need; /* set by the caller, as are the following; inside the block, not empty */
    uint32_t at;      /* the byte in the block that the reader is after */
    bool maps;        /* for a map of its own: it pins the file */
    enum prefetch_advice advice;
    struct context *context;
    struct job *job;
    void (*wake)(struct block_waiter *w, const struct block_result *r);
};

/* Fetches what a reader needs of a block that the store does not hold, and what policy/prefetch
 * adds. Wakes `w` once, perhaps before it returns. */
void blocks_fetch(struct agent *a, const struct version *v, uint64_t index, struct block_waiter *w);
void blocks_cancel(struct block_waiter *w);

/* The job was given blocks [first, first + count) from the store, of which it needs bytes from
 * `w->need` on: fetches ahead. */
void blocks_ahead(struct agent *a, const struct version *v, uint64_t first, uint64_t count,
                  const struct block_waiter *w);
/* The job was given the whole block that it waited for, and `count` - 1 behind it that came
 * meanwhile. */
void blocks_given(const struct version *v, uint64_t first, uint64_t count,
                  const struct block_waiter *w);

/* Fetches all of a block for agent/far_ahead.h, which hears when it is here. False: there is
 * nothing to do, or it can't be started, or not stored. */
struct far_run;
bool blocks_fetch_far(struct agent *a, const struct version *v, uint64_t index,
                      struct context *context, struct job *job, struct far_run *far);

/* The beginning of a block came along with something else. What holds it now, for blocks_plant();
 * NULL: the store has the block, or it can't be held. Waits for the disk: on any thread but the
 * loop's. */
struct partial *blocks_seed(struct agent *a, const struct version *v, uint64_t index,
                            const void *data, uint32_t len);
/* Has readers find the beginning, unless the block is on its way already; where the object has no
 * other block, fetches the rest. `seed` is taken over. */
void blocks_plant(struct agent *a, const struct version *v, uint64_t index, struct partial *seed,
                  struct context *context, struct job *job);

/* What is here of a block that is being gathered, around this byte of it: a descriptor, the
 * caller's, or -ENOENT. */
int blocks_peek(const struct version *v, uint64_t index, uint32_t at, struct span *ready);

/* What a job may want soon. */
struct blocks_order {
    struct agent *agent;
    const struct version *version;
    struct context *context;
    struct job *job;
    uint64_t from, to;   /* bytes of the object, not empty */
    uint64_t part_bytes; /* in requests of this size, a multiple of the block's */
    bool read_ahead;     /* from the disk, too, where they are stored */
};
struct blocks_begun {
    uint64_t next;  /* where to go on, if that is before the order's end */
    uint64_t bytes; /* so many are on their way now */
    bool failed;    /* no more can be fetched, or held */
};
/* Fetches their blocks, as far as the agent's budget of requests allows; a small part of a block
 * where the order begins or ends alone. */
struct blocks_begun blocks_want(const struct blocks_order *order);

/* This block came ahead in another way, and is in the store. */
void blocks_note_ahead(const struct version *v, uint64_t index);

/* Was this stored block fetched ahead, and is it given to a job now for the first time? (For the
 * count of hits: it was not in the store when the job came.) */
bool blocks_was_ahead(const struct version *v, uint64_t index);

/* Blocks for which a request to S3 is under way. */
size_t blocks_in_flight(void);

/* Blocks of which some pieces are here, and that nothing is under way for. */
size_t blocks_incomplete(void);

/* Throws away incomplete blocks that nothing is under way for. */
void blocks_forget(void);

#endif
