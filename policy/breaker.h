/* A circuit breaker: stops asking what does not answer, and finds out when it does again. Pure: the
 * caller brings the time and reports how each attempt ended. For Redis, peers, S3 endpoints alike.
 * Not locked: the caller guards it as it guards what stands behind it.
 * Source of the pattern: M. Nygard, "Release It!", 2007.
 *
 *            `failures` in a row             wait is over: one attempt goes through
 *   CLOSED ───────────────────────▶ OPEN ─────────────────────────────────▶ HALF_OPEN
 *     ▲                              ▲  attempt failed: wait twice as long      │
 *     │                              └──────────────────────────────────────────┤
 *     └────────────────────────────── attempt succeeded ────────────────────────┘
 *
 * Every breaker_allows() that said yes is answered by one breaker_succeeded() or breaker_failed().
 * One whose answer never comes lets another attempt through once `open_max_ms` is over.
 *
 *     if (breaker_allows(&b, &rules, now_ms))
 *         attempt() < 0 ? breaker_failed(&b, &rules, now_ms, random) : breaker_succeeded(&b,
 * now_ms);
 *
 * A zeroed struct breaker is closed. */
#ifndef WARMPATH_POLICY_BREAKER_H
#define WARMPATH_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker_rules {
    uint32_t failures;   /* in a row that open it; at least 1 */
    int64_t open_ms;     /* the first wait */
    int64_t open_max_ms; /* waits double up to this */
};

struct breaker {
    enum breaker_state state;
    uint32_t failed;     /* in a row, while closed */
    uint32_t openings;   /* in a row, without a success between them */
    int64_t since_ms;    /* when it left or entered CLOSED last; 0: never left it */
    int64_t retry_at_ms; /* OPEN: the next attempt; HALF_OPEN: when the probe counts as lost */
};

/* May an attempt be made now? While half open only one at a time may. */
bool breaker_allows(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms);

/* Would breaker_allows() say yes? Changes nothing. */
bool breaker_would_allow(const struct breaker *b, int64_t now_ms);

void breaker_succeeded(struct breaker *b, int64_t now_ms);
/* `random`: 32 random bits. Waits are drawn from their upper half, so that the nodes of a cluster
 * do not probe at the same moment. */
void breaker_failed(struct breaker *b, const struct breaker_rules *rules, int64_t now_ms,
                    uint32_t random);

/* "closed", "open", "half open". */
/* The attempt ended without telling anything (it was cancelled): another one may go through. */
void breaker_forget(struct breaker *b, int64_t now_ms);

const char *breaker_name(enum breaker_state state);

#endif
