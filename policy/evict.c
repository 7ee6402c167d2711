#include "policy/evict.h"

#include <stdlib.h>

uint64_t evict_goal(uint64_t used_bytes, uint64_t limit_bytes, int64_t spare_bytes)
{
    uint64_t over = used_bytes > limit_bytes ? used_bytes - limit_bytes : 0;
    uint64_t missing = spare_bytes < 0 ? (uint64_t)-spare_bytes : 0;
    uint64_t goal = over > missing ? over : missing;
    if (goal == 0)
        return 0;
    return goal + limit_bytes / 64;
}

static int by_age(const void *a, const void *b)
{
    const struct evict_candidate *x = a, *y = b;
    return (x->last_used_s > y->last_used_s) - (x->last_used_s < y->last_used_s);
}

size_t evict_pick(struct evict_candidate *c, size_t n, uint64_t goal_bytes)
{
    if (n == 0 || goal_bytes == 0)
        return 0;
    qsort(c, n, sizeof(*c), by_age);
    size_t most = n / 2 ? n / 2 : 1;
    size_t picked = 0;
    for (uint64_t freed = 0; picked < most && freed < goal_bytes; picked++)
        freed += c[picked].bytes;
    return picked;
}
