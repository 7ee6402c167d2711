#include "policy/placement.h"

#include <string.h>

#define PATIENCE_STEP_MS 60 /* about a GET of 4 MiB */
#define PATIENCE_STEPS   3
#define FAR_TIMES        5 /* 120 MiB: 60 ms at 2 GB/s */
/* One or two requests more or less make no difference. */
#define ASKED_ALIKE PLACEMENT_AT_ONCE

/* splitmix64's finalizer. Source: G. Steele and others, "Fast Splittable Pseudorandom Number
 * Generators", 2014. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

uint64_t placement_score(uint64_t content, uint64_t extent, uint64_t node)
{
    uint64_t x = mix(content + 0x9e3779b97f4a7c15ull);
    x = mix(x + extent * 0x9e3779b97f4a7c15ull + 1);
    return mix(x ^ mix(node + 0x9e3779b97f4a7c15ull));
}

/* Does the node come before `self`, whose score is `own`? */
static bool is_before(uint64_t content, uint64_t extent, uint64_t node, uint64_t self, uint64_t own)
{
    uint64_t score = placement_score(content, extent, node);
    return node != self && (score > own || (score == own && node > self));
}

size_t placement_rank(uint64_t content, uint64_t extent, const uint64_t *nodes, size_t n,
                      uint64_t self)
{
    uint64_t own = placement_score(content, extent, self);
    size_t before = 0;
    for (size_t i = 0; i < n; i++)
        before += is_before(content, extent, nodes[i], self, own);
    return before;
}

size_t placement_guess(uint64_t content, uint64_t block, const uint64_t *nodes, size_t n,
                       uint64_t self, uint32_t attempt)
{
    uint64_t extent = placement_extent(block), own = placement_score(content, extent, self);
    uint64_t best_score = 0;
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        if (!is_before(content, extent, nodes[i], self, own))
            continue;
        uint64_t score = placement_score(self + attempt, block, nodes[i]);
        if (best < n && score <= best_score)
            continue;
        best = i;
        best_score = score;
    }
    return best;
}

int64_t placement_patience_ms(size_t rank)
{
    return (int64_t)(rank < PATIENCE_STEPS ? rank : PATIENCE_STEPS) * PATIENCE_STEP_MS;
}

enum placement_distance placement_distance(const char *own_zone, const char *zone)
{
    const char *own_slash = strchr(own_zone, '/'), *slash = strchr(zone, '/');
    size_t own_len = own_slash ? (size_t)(own_slash - own_zone) : 0;
    size_t len = slash ? (size_t)(slash - zone) : 0;
    if (own_len != len || memcmp(own_zone, zone, len) != 0)
        return PLACEMENT_OTHER_REGION;
    return strcmp(own_zone, zone) == 0 ? PLACEMENT_SAME_ZONE : PLACEMENT_SAME_REGION;
}

uint32_t placement_at_once(enum placement_distance distance)
{
    return distance == PLACEMENT_OTHER_REGION ? FAR_TIMES * PLACEMENT_AT_ONCE : PLACEMENT_AT_ONCE;
}

/* Is `a` to be asked rather than `b`? Both may be asked. */
static bool is_better(const struct placement_holder *a, uint64_t a_score,
                      const struct placement_holder *b, uint64_t b_score)
{
    uint32_t a_asked = a->asked / ASKED_ALIKE, b_asked = b->asked / ASKED_ALIKE;
    if (a->is_last != b->is_last)
        return b->is_last;
    if (a->distance != b->distance)
        return a->distance < b->distance;
    if (a_asked != b_asked)
        return a_asked < b_asked;
    return a_score > b_score;
}

size_t placement_pick(const struct placement_holder *holders, size_t n, uint64_t content,
                      uint64_t block, uint64_t self, bool other_regions)
{
    size_t best = n;
    uint64_t best_score = 0;
    for (size_t i = 0; i < n; i++) {
        const struct placement_holder *h = &holders[i];
        bool far = h->distance == PLACEMENT_OTHER_REGION && !other_regions;
        if (far || h->node == self)
            continue;
        uint64_t score = placement_score(content ^ mix(self), block, h->node);
        if (best == n || is_better(h, score, &holders[best], best_score)) {
            best = i;
            best_score = score;
        }
    }
    return best;
}
