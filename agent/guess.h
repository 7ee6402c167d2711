/* Opens ahead of the job: what agent/siblings expects to be opened is looked up, and so fetched, as
 * an open would do it, with the same credentials and for the same context alone. An open that
 * comes meanwhile shares the request. Loop thread only.
 *
 * Few are under way at a time, so that what a job waits for finds a free connection; the others
 * wait here. A guess that fails is silent. */
#ifndef WARMPATH_AGENT_GUESS_H
#define WARMPATH_AGENT_GUESS_H

#include "agent/lookup.h"

#define GUESSES_UNDER_WAY 32
#define GUESSES_WAITING   2048 /* more are dropped */

struct guess_order {
    struct agent *agent;
    struct context *context;
    struct job *job;                /* may be NULL */
    const struct lookup_name *name; /* copied */
    int64_t ttl_ms;
    /* S3 would not or could not say: no use to go on there. May be NULL. */
    void (*failed)(struct context *context, const struct lookup_name *name);
};

void guess_start(const struct guess_order *order);

/* Drops those that wait and belong to this directory ("dir/") of the context. */
void guess_drop(const struct context *context, const char *bucket, const char *prefix);

#endif
