/* A Redis server: one thread that takes batches in the order in which they arrive, each command at
 * its measured cost, and what the index keeps in it (fetch/index.h): for each segment and node a
 * bitmap, for each block perhaps a lock, for each node a lease. */
#ifndef WARMPATH_SIM_REDIS_H
#define WARMPATH_SIM_REDIS_H

#include "sim/world.h"

enum redis_op_kind { OP_PUT, OP_LOOK, OP_CLAIM, OP_LOCK, OP_BEAT };

struct redis_op {
    enum redis_op_kind kind;
    int segment;    /* PUT, LOOK; -1: of an object that only this node reads */
    uint32_t block; /* CLAIM; LOCK gives it back, or renews it */
    bool release, is_zone;
    bool is_good; /* out: the claim got the lock */
};

#define REDIS_OPS_MAX 512

/* What a node sends as one pipeline. */
struct redis_batch {
    struct node *node;
    int n;
    struct redis_op ops[REDIS_OPS_MAX];
    bool failed; /* no answer in time */
    void (*done)(struct redis_batch *b);
};

struct redis *redis_new(void);
void redis_free(struct redis *r);

/* `done` comes when the answers are in, or the deadline is over. One batch a node at a time. */
void redis_submit(struct world *w, struct redis_batch *b);

#endif
