/* Reading far ahead on this node where other nodes read the same object, as policy/far says. Loop
 * thread only; without a cluster nothing happens. */
#ifndef WARMPATH_AGENT_FAR_AHEAD_H
#define WARMPATH_AGENT_FAR_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"
#include "agent/store/version.h"

struct far_run;

/* A job reads the version in sequence and is at this block: fetches what is due far ahead. */
void far_ahead_read(struct agent *a, const struct version *v, uint64_t index,
                    struct context *context, struct job *job);

/* A block that blocks_fetch_far() was asked for is here, or could not be had: then no more are
 * fetched until the job reads on. */
void far_ahead_ended(struct far_run *r, bool ok);

/* How many requests may be under way before no more are started for the window in front of the
 * job's reader; `usual`: where nothing is fetched far ahead. */
size_t far_ahead_most(const struct version *v, const struct job *job, size_t usual);

#endif
