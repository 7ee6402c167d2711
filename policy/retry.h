/* Whether and when to try a failed request again. Pure: numbers in, decision out.
 * Source of full jitter: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. */
#ifndef WARMPATH_POLICY_RETRY_H
#define WARMPATH_POLICY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum retry_cause {
    RETRY_NETWORK,      /* a connection broke or went quiet */
    RETRY_UNREACHABLE,  /* no sign of life from an endpoint that never gave one; soon given up */
    RETRY_SERVER,       /* 5xx */
    RETRY_THROTTLED,    /* 429, SlowDown */
    RETRY_SHORT_BODY,   /* the body ended early, but brought something */
    RETRY_WRONG_ANSWER, /* an answer that contradicts the request; twice more, then given up */
    RETRY_NEVER,
};

struct retry_state {
    uint32_t attempts;      /* failed in a row, without any progress; at least 1 */
    int64_t elapsed_ms;     /* since the request was submitted */
    int64_t deadline_ms;    /* budget, same origin */
    int64_t retry_after_ms; /* from the server; 0: none */
    uint32_t random;        /* 32 random bits */
};

struct retry_decision {
    bool again;
    int64_t delay_ms; /* leaves a twentieth of the budget, at least, for the attempt itself */
};

struct retry_decision retry_decide(enum retry_cause cause, const struct retry_state *state);

#endif
