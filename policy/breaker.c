#include "policy/breaker.h"

#define DOUBLINGS_MAX 20

bool breaker_would_allow(const struct breaker *b, int64_t now_ms)
{
    return b->state == BREAKER_CLOSED || now_ms >= b->retry_at_ms;
}

bool breaker_allows(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms)
{
    if (!breaker_would_allow(b, now_ms))
        return false;
    if (b->state != BREAKER_CLOSED) {
        b->state = BREAKER_HALF_OPEN;
        b->retry_at_ms = now_ms + rules->open_max_ms;
    }
    return true;
}

void breaker_succeeded(struct breaker *b, int64_t now_ms)
{
    if (b->state == BREAKER_OPEN)
        return; /* begun before it opened; the probe decides */
    if (b->state == BREAKER_HALF_OPEN)
        b->since_ms = now_ms;
    b->state = BREAKER_CLOSED;
    b->failed = 0;
    b->openings = 0;
}

static int64_t wait_ms(const struct breaker_rules *rules, uint32_t openings, uint32_t random)
{
    uint32_t doublings = openings < DOUBLINGS_MAX ? openings : DOUBLINGS_MAX;
    int64_t most = rules->open_ms;
    while (doublings-- > 0 && most < rules->open_max_ms)
        most *= 2;
    if (most > rules->open_max_ms)
        most = rules->open_max_ms;
    return most / 2 + (int64_t)((uint64_t)(most - most / 2) * random >> 32);
}

void breaker_failed(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms,
                    uint32_t random)
{
    if (b->state == BREAKER_OPEN)
        return; /* begun before it opened: says nothing new */
    if (b->state == BREAKER_CLOSED) {
        if (++b->failed < rules->failures)
            return;
        b->since_ms = now_ms;
    }
    b->state = BREAKER_OPEN;
    b->failed = 0;
    b->retry_at_ms = now_ms + wait_ms(rules, b->openings++, random);
}

void breaker_forget(struct breaker *b, int64_t now_ms)
{
    if (b->state == BREAKER_HALF_OPEN)
        b->retry_at_ms = now_ms;
}

const char *breaker_name(enum breaker_state state)
{
    return state == BREAKER_CLOSED ? "closed" : state == BREAKER_OPEN ? "open" : "half open";
}
