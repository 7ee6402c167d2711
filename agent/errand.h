/* Who fetches what: starts the transfers that bring pieces of blocks, and says in each gather what
 * is coming. agent/blocks.h decides what that is, and is told of their ends. Loop thread only.
 *
 * An errand is its caller's for as long as it starts transfers; these go on without it. Where one
 * can't be started, `error` and `why` say so. */
#ifndef WARMPATH_AGENT_ERRAND_H
#define WARMPATH_AGENT_ERRAND_H

#include "agent/gather.h"
#include "policy/prefetch.h"

struct transfer;

struct errand {
    struct agent *agent;
    const struct version *version;
    struct context *context;
    struct job *job;
    void (*ended)(struct transfer *t); /* of each one that was started */
    bool eager, far;                   /* as of a transfer */
    bool read_ahead;                   /* what is stored, from the disk */
    uint64_t begun_bytes;              /* what was started so far */
    int error;
    char why[384];
};

/* One transfer for each gap among these pieces of a block; those behind `first_byte` first. False:
 * one couldn't be started. */
bool errand_fetch_pieces(struct errand *e, struct gather *g, uint64_t wanted, uint32_t first_byte);

/* Fetches the plan's blocks, neighbours by one request as far as the plan's parts allow. The byte
 * up to which it came before the budget ended. */
uint64_t errand_fetch_plan(struct errand *e, const struct prefetch_plan *plan);

/* Has the store the block? Where the errand reads ahead, the disk begins with it. */
bool errand_finds_stored(const struct errand *e, uint64_t index);

/* How many blocks may be under way when another one is to come ahead? Where they go to memory, no
 * more than that holds until they are read. */
uint64_t errand_most_blocks(const struct errand *e);

#endif
