#include "policy/breaker.h"

#define FIRST_MS     1000
#define LONGEST_MS   10000
#define PROBE_MAX_MS 60000 /* a probe that never came back is not waited for longer */

enum breaker_answer breaker_ask(struct breaker *b, int64_t now_ms)
{
    if (b->open_ms == 0)
        return BREAKER_PASS;
    if (now_ms < b->until_ms || (b->probe_ms && now_ms - b->probe_ms < PROBE_MAX_MS))
        return BREAKER_REFUSE;
    b->probe_ms = now_ms;
    return BREAKER_PROBE;
}

void breaker_close(struct breaker *b)
{
    *b = (struct breaker){0};
}

void breaker_open(struct breaker *b, bool probe, int64_t now_ms)
{
    if (probe)
        b->probe_ms = 0;
    else if (b->open_ms && now_ms < b->until_ms)
        return; /* a straggler of those that opened it */
    int64_t longer_ms = b->open_ms ? 2 * b->open_ms : FIRST_MS;
    b->open_ms = longer_ms < LONGEST_MS ? longer_ms : LONGEST_MS;
    b->until_ms = now_ms + b->open_ms;
}

void breaker_forget_probe(struct breaker *b)
{
    b->probe_ms = 0;
}
