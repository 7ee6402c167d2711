/* A whole block from somewhere other than the origin: from a peer's store, or, where another node
 * is just fetching it, from that node in a moment. Verified before anybody sees it. Loop thread
 * only.
 *
 *   elsewhere_start ──> known holder? ──yes──> GET from it ── verified ──> in the store: HERE
 *                           │no                   └─ bad, gone: the next one, at most a few
 *                           ▼
 *                       ask the index (fetch/index.h) ──> a holder appears: as above
 *                                                    └──> ORIGIN, with or without its lock */
#ifndef WARMPATH_AGENT_ELSEWHERE_H
#define WARMPATH_AGENT_ELSEWHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/job.h"
#include "agent/store/version.h"

struct elsewhere;

enum elsewhere_end {
    ELSEWHERE_HERE,   /* in the store, or in memory where the disk is full; `fd` is borrowed */
    ELSEWHERE_ORIGIN, /* fetch it from there, then tell elsewhere_done() */
};

enum elsewhere_for {
    ELSEWHERE_FOR_JOB, /* one waits for it */
    ELSEWHERE_AHEAD,   /* a reader will come to it: asked for in turn, where others are before it */
    ELSEWHERE_FAR,     /* far ahead of one, for what other nodes lack (policy/far) */
};

/* Starts looking. NULL: there is nothing to look for, go to the origin. `ended` is called once,
 * never before this returns. */
struct elsewhere *elsewhere_start(struct agent *a, const struct version *v, uint64_t index,
                                  enum elsewhere_for what_for, struct job *job,
                                  void (*ended)(void *user, enum elsewhere_end end, int fd),
                                  void *user);

/* A job waits for it now. */
void elsewhere_hurry(struct elsewhere *e);

/* After ORIGIN, with how that went; after HERE, too. Frees. */
void elsewhere_done(struct elsewhere *e, bool ok);

#endif
