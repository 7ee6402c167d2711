/* When is a request so slow that a second one, for the same, is worth its price? Pure. One for each
 * endpoint.
 *
 * Source: Dean and Barroso, "The Tail at Scale" (2013): a second request for the slowest few
 * percent takes most of the tail and costs those few percent. Time to the first byte is kept as a
 * histogram of steps of a quarter octave; half of it is forgotten again and again. The price is a
 * budget: HEDGE_SHARE of the requests, so that nothing is doubled where everything has become slow,
 * and nothing at all while S3 asks for less. */
#ifndef WARMPATH_POLICY_HEDGE_H
#define WARMPATH_POLICY_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

#define HEDGE_SHARE    0.05 /* second requests for each request */
#define HEDGE_BURST    5.0  /* so many at once after a quiet time */
#define HEDGE_QUANTILE 0.97 /* slower than that share of the requests */
#define HEDGE_STEPS    72   /* 0.25 ms to a minute */

struct hedge { /* zeros: nothing is known yet */
    uint32_t counts[HEDGE_STEPS];
    uint32_t total;
    double budget;
    int64_t quiet_until_ms;
};

/* A request that somebody waits for, or may come to, is about to be sent. After so many
 * milliseconds without a byte of the answer a second one is worth it; 0: never. */
int64_t hedge_after_ms(struct hedge *h, int64_t now_ms);

/* That time is over. May the second one be sent? Then it is paid for. */
bool hedge_take(struct hedge *h, int64_t now_ms);

/* A first byte came after so long. */
void hedge_heard(struct hedge *h, int64_t first_byte_us);

/* S3 asked for less. */
void hedge_throttled(struct hedge *h, int64_t now_ms);

#endif
