#include "policy/hedge.h"

#define FIRST_STEP_US 250
#define SAMPLES_MIN   64
#define SAMPLES_MAX   1024 /* then half is forgotten */
#define AFTER_MIN_MS  25   /* sooner it gains little, and a moment of load looks like a tail */
#define QUIET_MS      30000

/* Quarter octaves, by the bits behind the leading one. */
static unsigned step_of(int64_t us)
{
    uint64_t n = us > FIRST_STEP_US ? (uint64_t)us / (FIRST_STEP_US / 4) : 4;
    unsigned octave = 63U - (unsigned)__builtin_clzll(n);
    unsigned step = (octave - 2) * 4 + (unsigned)(n >> (octave - 2) & 3);
    return step < HEDGE_STEPS ? step : HEDGE_STEPS - 1;
}

/* Where the step after this one begins. */
static int64_t step_end_us(unsigned step)
{
    unsigned next = step + 1;
    return (int64_t)(4 + next % 4) * (FIRST_STEP_US / 4) << (next / 4);
}

void hedge_heard(struct hedge *h, int64_t first_byte_us)
{
    h->counts[step_of(first_byte_us)]++;
    if (++h->total < SAMPLES_MAX)
        return;
    h->total = 0;
    for (unsigned i = 0; i < HEDGE_STEPS; i++)
        h->total += h->counts[i] /= 2;
}

void hedge_throttled(struct hedge *h, int64_t now_ms)
{
    h->quiet_until_ms = now_ms + QUIET_MS;
}

static int64_t quantile_ms(const struct hedge *h)
{
    uint32_t below = 0;
    unsigned step = 0;
    while (step < HEDGE_STEPS - 1 && (below += h->counts[step]) < h->total * HEDGE_QUANTILE)
        step++;
    return step_end_us(step) / 1000 + 1;
}

int64_t hedge_after_ms(struct hedge *h, int64_t now_ms)
{
    h->budget += HEDGE_SHARE;
    if (h->budget > HEDGE_BURST)
        h->budget = HEDGE_BURST;
    if (h->total < SAMPLES_MIN || now_ms < h->quiet_until_ms)
        return 0;
    int64_t after_ms = quantile_ms(h);
    return after_ms > AFTER_MIN_MS ? after_ms : AFTER_MIN_MS;
}

bool hedge_take(struct hedge *h, int64_t now_ms)
{
    if (h->budget < 1 || now_ms < h->quiet_until_ms)
        return false;
    h->budget -= 1;
    return true;
}
