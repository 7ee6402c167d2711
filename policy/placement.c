#include "policy/placement.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_STEP_MS 60 /* about a GET of 4 MiB */
#define PATIENCE_STEPS   3
#define ASKED_ALIKE      4 /* one or two requests more or less make no difference */

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

size_t placement_rank(uint64_t content, uint64_t extent, const uint64_t *nodes, size_t n,
                      uint64_t self)
{
    uint64_t own = placement_score(content, extent, self);
    size_t before = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t score = placement_score(content, extent, nodes[i]);
        before += nodes[i] != self && (score > own || (score == own && nodes[i] > self));
    }
    return before;
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

/* Nothing but numbers to compare: qsort has no argument for more. */
struct ranked {
    struct placement_holder holder;
    bool unwanted;
    uint64_t score;
};

static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->unwanted != b->unwanted)
        return a->unwanted ? 1 : -1;
    if (a->holder.distance != b->holder.distance)
        return a->holder.distance < b->holder.distance ? -1 : 1;
    uint32_t a_asked = a->holder.asked / ASKED_ALIKE, b_asked = b->holder.asked / ASKED_ALIKE;
    if (a_asked != b_asked)
        return a_asked < b_asked ? -1 : 1;
    return a->score > b->score ? -1 : a->score < b->score;
}

#define ORDER_MAX 256 /* holders beyond these are not needed for any block */

size_t placement_order(struct placement_holder *holders, size_t n, uint64_t content, uint64_t block,
                       uint64_t self, bool other_regions)
{
    struct ranked ranked[ORDER_MAX];
    size_t wanted = 0;
    if (n > ORDER_MAX)
        n = ORDER_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct placement_holder *h = &holders[i];
        bool far = h->distance == PLACEMENT_OTHER_REGION && !other_regions;
        ranked[i] = (struct ranked){.holder = *h,
                                    .unwanted = h->avoid || far || h->node == self,
                                    .score = placement_score(content ^ mix(self), block, h->node)};
        wanted += !ranked[i].unwanted;
    }
    qsort(ranked, n, sizeof(ranked[0]), compare);
    for (size_t i = 0; i < n; i++)
        holders[i] = ranked[i].holder;
    return wanted;
}
