#include "agent/store/filter.h"

#include <string.h>

/* An id is evenly distributed as it is. */
static uint32_t bit_of(const struct store_place *place)
{
    uint64_t h;
    memcpy(&h, place->version.bytes, sizeof(h));
    h += place->index * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(h % STORE_FILTER_BITS);
}

void store_filter_add(struct store_filter *f, const struct store_place *place)
{
    uint32_t bit = bit_of(place);
    atomic_fetch_or(&f->bits[bit / 64], 1ull << (bit % 64));
}

bool store_filter_may(struct store_filter *f, const struct store_place *place)
{
    uint32_t bit = bit_of(place);
    return !atomic_load(&f->complete) || (atomic_load(&f->bits[bit / 64]) >> (bit % 64) & 1);
}
