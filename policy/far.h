/* Reading far ahead where many nodes read the same object: each begins at another place. Pure.
 *
 * Nodes that read one object in order want the same few blocks at the same moment, and those who
 * have them are few: most of the cluster's uplinks have nothing to send. So beside the window in
 * front of its reader (policy/prefetch) each node fetches blocks further on, first those that
 * rendezvous hashing (policy/placement) gives to it, then those for which it comes second, and so
 * on. What it fetches from the origin that way are the blocks that no other node fetches; what it
 * takes from peers comes from all of them evenly, and is what the others lack.
 *
 * It begins once a reader has shown that it reads in sequence, and never has given more blocks that
 * were not read yet than were read already and FAR_BLOCKS_FIRST. */
#ifndef WARMPATH_POLICY_FAR_H
#define WARMPATH_POLICY_FAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAR_HORIZON_BLOCKS 1024 /* how far it goes: two segments of the index */
#define FAR_READ_FIRST     4    /* blocks that a reader must have read in sequence */
#define FAR_BLOCKS_FIRST   64
#define FAR_AT_ONCE        16 /* blocks on their way */
#define FAR_NEAR_AT_ONCE   16 /* of the reader's own window, meanwhile */
#define FAR_JUMP_BLOCKS    64 /* a reader that goes further than that in one step begins anew */

/* One reader of one object; zeroed at first. */
struct far {
    uint64_t first, at; /* the blocks where it began, and where it is */
    bool reads;         /* it has read something */

    uint64_t planned_at; /* the order below was made there, ... */
    size_t planned_readers;
    uint16_t order[FAR_HORIZON_BLOCKS]; /* ... counts from there, the best first */
    size_t n, next;
    bool is_given[FAR_HORIZON_BLOCKS]; /* by far_next(), counted from there */
};

/* The reader is at this block. */
void far_read(struct far *f, uint64_t block);

/* Has it read enough in sequence for far blocks to be worth it? */
bool far_is_due(const struct far *f);

/* Is it under way: does the window in front of the reader share the way with it? */
bool far_is_active(const struct far *f);

/* Does an order have to be made, with far_plan(), before far_next() is asked? `readers`: other
 * nodes that read the object, as many as are known now. */
bool far_needs_plan(const struct far *f, size_t readers);
void far_plan(struct far *f, uint64_t content, uint64_t blocks, const uint64_t *readers, size_t n,
              uint64_t self);

/* The next block to fetch, which may be here already; false: none, for now. Each comes once.
 * `under_way`: far ones. */
bool far_next(struct far *f, size_t under_way, uint64_t *block);

#endif
