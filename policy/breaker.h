/* Is it worth asking an endpoint that was silent? Pure; the caller holds the lock.
 *
 *   closed ── a request was given up without any sign of life ──> open (1 s, then 2, 4, … 10 s)
 *     ^                                                             │ its time is over
 *     └─────────── an answer, whatever it says ── half open <───────┘
 *                       one request probes, the others are refused; its failure opens again */
#ifndef WARMPATH_POLICY_BREAKER_H
#define WARMPATH_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct breaker {
    int64_t open_ms;  /* how long it was opened for; 0: closed */
    int64_t until_ms; /* refuses before */
    int64_t probe_ms; /* when the probe began; 0: none is under way */
};

enum breaker_answer { BREAKER_PASS, BREAKER_PROBE, BREAKER_REFUSE };

enum breaker_answer breaker_ask(struct breaker *b, int64_t now_ms);
/* The endpoint answered. */
void breaker_close(struct breaker *b);
/* A request (`probe`: the one that was let through) ended without any sign of life. */
void breaker_open(struct breaker *b, bool probe, int64_t now_ms);
/* A probe ended without telling anything (it was cancelled). */
void breaker_forget_probe(struct breaker *b);

#endif
