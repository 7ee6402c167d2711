/* How much may be fetched because jobs say that they will want it, and not because they read it.
 * Pure: bytes and times in, bytes out.
 *
 * Hints are free for the job, and what they bring takes room in the cache from what is read. So all
 * hints of a node share one allowance: at most so many bytes at once, and as many again within a
 * minute. What a hint asks beyond that is not granted later; its reader gets it when it reads.
 * Source: a token bucket. */
#ifndef WARMPATH_POLICY_ALLOWANCE_H
#define WARMPATH_POLICY_ALLOWANCE_H

#include <stdint.h>

#define ALLOWANCE_SHARE     4 /* a quarter of the cache */
#define ALLOWANCE_REFILL_MS 60000

/* All zeros: nothing was granted yet. */
struct allowance {
    uint64_t used_bytes;
    int64_t at_ms;
};

/* How much of what is wanted is granted, where the cache may hold `cache_bytes`. */
uint64_t allowance_take(struct allowance *a, uint64_t want_bytes, uint64_t cache_bytes,
                        int64_t now_ms);
/* So much of it was not fetched, after all. */
void allowance_return(struct allowance *a, uint64_t bytes);

#endif
