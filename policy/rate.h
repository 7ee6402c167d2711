/* How fast to ask where S3 said "slow down": one of these for each directory and bucket. Pure; the
 * caller holds the lock.
 *
 * Unlimited until a second in which a twentieth of the answers (and more than one) were refusals:
 * that cuts the rate to seven tenths of what was really sent. Each second without such a cut lets
 * it grow by a quarter; half a minute without one lifts the limit. It paces, and never holds
 * anybody up for long: what comes too soon all the same is refused by S3, and comes back after its
 * backoff. Source: the shape of the AWS SDKs' adaptive retry mode, with plain exponential growth in
 * place of its cubic. */
#ifndef WARMPATH_POLICY_RATE_H
#define WARMPATH_POLICY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    double per_s;      /* 0: no limit */
    double ceiling;    /* what was too much the last time */
    int64_t window_ms; /* beginning of the second that the next three count */
    uint32_t sent, answered, refused;
    uint32_t sent_before; /* in the second before */
    int64_t next_us;      /* the next request may go then */
    int64_t cut_ms;       /* last cut; 0: never */
    int64_t grown_ms;     /* last growth */
};

/* Takes a place in the queue: how many milliseconds to wait before sending. */
int64_t rate_take(struct rate *r, int64_t now_ms);
/* S3 answered a request, with (`throttled`) or without a call to slow down. */
void rate_answer(struct rate *r, bool throttled, int64_t now_ms);

#endif
