/* What jobs said that they will read soon (posix_fadvise, readahead, madvise): fetched in the
 * background, behind what is being read, as far as the node's allowance goes (policy/allowance).
 * Each hint gets a part of its range fetched in turn. One that fails is dropped: who reads is told.
 * Loop thread only. */
#ifndef WARMPATH_AGENT_HINTS_H
#define WARMPATH_AGENT_HINTS_H

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"
#include "agent/store/version.h"

#define HINTS_MAX 256 /* hints that are not fetched yet; more are ignored */

struct hint_range {
    uint64_t from, to; /* bytes of the object; may lie beyond its end */
};

void hints_add(struct agent *a, const struct version *v, struct hint_range range,
               struct context *context, struct job *job);
/* Not any more: what was not asked for yet stays where it is. */
void hints_drop(const struct version *v, struct hint_range range, const struct job *job);

/* A request ended, so another may begin. `error`: it failed. */
void hints_go_on(const struct version *v, const struct context *context, int error);

#endif
