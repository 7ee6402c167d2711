/* Blocks that are being gathered: which pieces are under way, which are here, and who waits for
 * them. agent/blocks.h decides what is fetched. Loop thread only.
 *
 *   gather_new ──> transfers under way ──> landed: complete, in the store, out of the table
 *                   │        ▲
 *                   └> idle: some pieces are here; the longest idle goes first, sooner where they
 *                            are in memory instead of on the disk */
#ifndef WARMPATH_AGENT_GATHER_H
#define WARMPATH_AGENT_GATHER_H

#include <uthash.h>

#include "agent/blocks.h"

/* A block under way, or some of whose pieces are here. */
struct gather {
    UT_hash_handle hh;
    struct store_place id;      /* the table's key */
    struct gather *prev, *next; /* among the idle ones */
    struct partial *partial;
    struct store *store;
    struct block_waiter *waiters;
    uint64_t coming;      /* pieces under way */
    unsigned n_transfers; /* 0: idle */
    unsigned touches;
    struct far_run *far; /* fetched for it; NULL: not */
    bool given; /* to some reader, in part or out of the store before the loop knew it landed */
    bool is_idle;
    bool landed; /* complete: not in the table any more */
};

/* NULL: nothing of it is here or under way, or it has landed. */
struct gather *gather_find(const struct version *v, uint64_t index);
struct gather *gather_new(struct agent *a, const struct version *v, uint64_t index);
/* Of pieces that are here already; `p` is taken over. */
struct gather *gather_of(struct agent *a, const struct version *v, uint64_t index,
                         struct partial *p);

/* A transfer begins for it. */
void gather_leave_idle(struct gather *g);
/* Nothing is under way for it any more: kept for what it has, or freed. */
void gather_settle(struct gather *g);

bool gather_is_ready(const struct gather *g, const struct block_waiter *w);
void gather_wake(struct gather *g, struct block_waiter *w);
/* Wakes all whose bytes are there. */
void gather_wake_ready(struct gather *g);

#endif
