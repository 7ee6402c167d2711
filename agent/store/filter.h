/* Which blocks the disk can hold: what is surely not there needs no look, which for a name that the
 * kernel doesn't know is a thread's work. A bit for each of 2 M hashes, so that memory doesn't grow
 * with the store: up to some 200,000 blocks nine of ten looks are saved, in the end none. Bits of
 * blocks that left stay. Thread-safe. */
#ifndef WARMPATH_AGENT_STORE_FILTER_H
#define WARMPATH_AGENT_STORE_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/store/store.h"

#define STORE_FILTER_BITS (1u << 21)

struct store_filter {
    atomic_bool complete; /* all that was there at the start is in it */
    _Atomic uint64_t bits[STORE_FILTER_BITS / 64];
};

/* To be called before the block gets its name. */
void store_filter_add(struct store_filter *f, const struct store_place *place);

/* False: the disk doesn't hold it. */
bool store_filter_may(struct store_filter *f, const struct store_place *place);

#endif
