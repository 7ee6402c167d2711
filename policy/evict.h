/* Which blocks leave when room is needed. Pure.
 *
 * The store keeps no list of its blocks in memory: it looks at a random shard's files (a
 * sample of 1/256 of all) and lets the least recently used of them go. Source of sampled LRU:
 * Redis' approximated LRU; with a sample this large it is LRU within a percent or so. */
#ifndef WARMPATH_POLICY_EVICT_H
#define WARMPATH_POLICY_EVICT_H

#include <stddef.h>
#include <stdint.h>

struct evict_candidate {
    int64_t last_used_s;
    int64_t changed_s; /* the caller's, as is `ref` */
    uint64_t bytes;
    uint32_t ref; /* the caller's */
};

/* Bytes to free now, given what is used, the limit, and what the disk has free beyond what must
 * stay free (`spare_bytes`, negative when short). Zero: nothing to do. Frees a little more than
 * needed, so that not every block costs a round. */
uint64_t evict_goal(uint64_t used_bytes, uint64_t limit_bytes, int64_t spare_bytes);

/* Sorts candidates, oldest first, and returns how many of them must go to free `goal_bytes`; never
 * more than half of the sample (at least one), because another shard may hold older ones. */
size_t evict_pick(struct evict_candidate *c, size_t n, uint64_t goal_bytes);

#endif
