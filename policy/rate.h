/* How fast to ask where S3 said "slow down": one of these for each bucket and prefix. Pure; the
 * caller holds the lock.
 *
 * Unlimited until the first refusal. A refusal (counted once a second) cuts the rate to seven
 * tenths of what was really sent; each second without one lets it grow by a tenth; half a minute
 * without one lifts the limit. Source: the shape of the AWS SDKs' adaptive retry mode, with plain
 * exponential growth in place of its cubic. */
#ifndef WARMPATH_POLICY_RATE_H
#define WARMPATH_POLICY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    double per_s;      /* 0: no limit */
    double measured;   /* requests a second, smoothed */
    int64_t window_ms; /* of the count below */
    uint32_t sent;
    int64_t next_us;  /* the next request may go then */
    int64_t cut_ms;   /* last cut; 0: never */
    int64_t grown_ms; /* last growth */
};

/* Takes a place in the queue: how many milliseconds to wait before sending. */
int64_t rate_take(struct rate *r, int64_t now_ms);
/* S3 answered a request, with (`throttled`) or without a call to slow down. */
void rate_answer(struct rate *r, bool throttled, int64_t now_ms);

#endif
