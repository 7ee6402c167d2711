#include "policy/allowance.h"

static void refill(struct allowance *a, uint64_t most_bytes, int64_t now_ms)
{
    int64_t passed_ms = now_ms - a->at_ms;
    a->at_ms = now_ms;
    if (passed_ms >= ALLOWANCE_REFILL_MS)
        a->used_bytes = 0;
    else if (passed_ms > 0)
        allowance_return(a, most_bytes / ALLOWANCE_REFILL_MS * (uint64_t)passed_ms);
}

uint64_t allowance_take(struct allowance *a, uint64_t want_bytes, uint64_t cache_bytes,
                        int64_t now_ms)
{
    uint64_t most_bytes = cache_bytes / ALLOWANCE_SHARE;
    refill(a, most_bytes, now_ms);
    uint64_t left_bytes = most_bytes > a->used_bytes ? most_bytes - a->used_bytes : 0;
    uint64_t granted_bytes = want_bytes < left_bytes ? want_bytes : left_bytes;
    a->used_bytes += granted_bytes;
    return granted_bytes;
}

void allowance_return(struct allowance *a, uint64_t bytes)
{
    a->used_bytes -= bytes < a->used_bytes ? bytes : a->used_bytes;
}
