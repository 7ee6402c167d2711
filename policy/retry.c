#include "policy/retry.h"

#include <stddef.h>

/* How patient to be with each cause. A job that waits a minute because of a typo in the endpoint is
 * helped by nobody, so what cannot be reached is given up within seconds; what S3 itself promises
 * to mend (5xx, SlowDown) is waited for until the deadline. */
struct patience {
    int64_t base_ms;       /* upper bound of the first delay; doubles with each failure */
    int64_t cap_ms;        /* upper bound of any delay */
    uint32_t max_attempts; /* 0: only the deadline counts */
};

static const struct patience patience_by_cause[] = {
    [RETRY_NETWORK] = {.base_ms = 100, .cap_ms = 5000, .max_attempts = 0},
    [RETRY_UNREACHABLE] = {.base_ms = 250, .cap_ms = 2000, .max_attempts = 6},
    [RETRY_SERVER] = {.base_ms = 200, .cap_ms = 10000, .max_attempts = 0},
    [RETRY_THROTTLED] = {.base_ms = 500, .cap_ms = 20000, .max_attempts = 0},
    [RETRY_SHORT_BODY] = {.base_ms = 50, .cap_ms = 2000, .max_attempts = 0},
    [RETRY_WRONG_ANSWER] = {.base_ms = 100, .cap_ms = 1000, .max_attempts = 3},
    [RETRY_NEVER] = {.base_ms = 0, .cap_ms = 0, .max_attempts = 1},
};

static int64_t backoff_bound_ms(const struct patience *patience, uint32_t attempts)
{
    int64_t bound = patience->base_ms;
    for (uint32_t i = 1; i < attempts && bound < patience->cap_ms; i++)
        bound *= 2;
    return bound < patience->cap_ms ? bound : patience->cap_ms;
}

struct retry_decision retry_decide(enum retry_cause cause, const struct retry_state *state)
{
    const struct retry_decision stop = {.again = false, .delay_ms = 0};

    if ((size_t)cause >= sizeof(patience_by_cause) / sizeof(patience_by_cause[0]))
        return stop;
    const struct patience *patience = &patience_by_cause[cause];
    if (patience->max_attempts && state->attempts >= patience->max_attempts)
        return stop;

    /* Full jitter: clients that failed together must not come back together. */
    int64_t bound_ms = backoff_bound_ms(patience, state->attempts);
    int64_t delay_ms = (int64_t)(((uint64_t)state->random * (uint64_t)(bound_ms + 1)) >> 32);
    if (delay_ms < state->retry_after_ms)
        delay_ms = state->retry_after_ms;

    /* An attempt takes time, too: one that is cut off at once would only hide the reason. And
     * compared by difference: a server may ask for any number of milliseconds. */
    int64_t left_ms = state->deadline_ms - state->deadline_ms / 20 - state->elapsed_ms;
    if (delay_ms >= left_ms)
        return stop;
    return (struct retry_decision){.again = true, .delay_ms = delay_ms};
}
