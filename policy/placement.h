/* Who does what among the nodes that want the same content. Pure.
 *
 * Rendezvous hashing: each node has a score for each extent, and the nodes are ranked by it. All
 * nodes come to the same ranking without talking; when one dies, its extents fall to the others in
 * equal parts and nothing else moves.
 * Source: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998.
 *
 * `content` is 64 bits of a version's id, `node` a node's id. */
#ifndef WARMPATH_POLICY_PLACEMENT_H
#define WARMPATH_POLICY_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks that one node reads ahead together. In the simulator 8 leave too many uplinks idle where
 * 400 nodes read a few hundred blocks, and 1 costs Redis more. */
#define PLACEMENT_EXTENT_BLOCKS 4

static inline uint64_t placement_extent(uint64_t block)
{
    return block / PLACEMENT_EXTENT_BLOCKS;
}

uint64_t placement_score(uint64_t content, uint64_t extent, uint64_t node);

/* How many of the nodes come before `self`: 0 for the one that fetches the extent first. `self` may
 * be among the nodes or not. */
size_t placement_rank(uint64_t content, uint64_t extent, const uint64_t *nodes, size_t n,
                      uint64_t self);

/* How long a node of this rank leaves a cold block, which it only reads ahead, to those before it.
 * A block that a job waits for is not left to anybody. */
int64_t placement_patience_ms(size_t rank);

/* Which of the nodes might have got a block that nobody is known to hold; `n`: none. It is one of
 * those that come before `self`, as they fetch it earlier; so a block spreads as in a tree whose
 * root is the node that fetches it first. Each node, block and `attempt` has an order of its own
 * among them. */
size_t placement_guess(uint64_t content, uint64_t block, const uint64_t *nodes, size_t n,
                       uint64_t self, uint32_t attempt);

/* --- whom to ask for a block ----------------------------------------------------- */

/* A zone is "zone" or "region/zone". Zones without a region are all of one region. */
enum placement_distance { PLACEMENT_SAME_ZONE, PLACEMENT_SAME_REGION, PLACEMENT_OTHER_REGION };

enum placement_distance placement_distance(const char *own_zone, const char *zone);

/* One that may be asked. */
struct placement_holder {
    uint64_t node;
    enum placement_distance distance;
    uint32_t asked; /* of our own requests to it, those that are under way */
    bool is_last;   /* it failed lately: only where there is no other */
};

/* What a reader will come to, but does not wait for yet, is asked of one holder in turns, so many
 * blocks at once: then the first to be read come first, the holder has connections for others, and
 * what arrives is still in the processor's cache when it is checked and written. Not what is
 * fetched far ahead (policy/far): in the simulator, to be behind the window costs a small cluster
 * an eighth of its time, as all nodes have the same window. */
#define PLACEMENT_AT_ONCE 6

/* The same by distance: what comes from another region is on its way for long, and needs more. */
uint32_t placement_at_once(enum placement_distance distance);

/* Which of the holders is to be asked; `n` when none is. A near one, then one that we don't ask
 * already; among equals each asking node (`self`) and each block has an order of its own, so that
 * the holders share the load. Other regions are asked only where `other_regions` (their bytes
 * cost). */
size_t placement_pick(const struct placement_holder *holders, size_t n, uint64_t content,
                      uint64_t block, uint64_t self, bool other_regions);

#endif
