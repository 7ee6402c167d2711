/* What policy/stride plans for a reader that goes on at even distances, fetched. Loop thread only.
 */
#ifndef WARMPATH_AGENT_STRIDE_AHEAD_H
#define WARMPATH_AGENT_STRIDE_AHEAD_H

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"
#include "agent/store/version.h"
#include "policy/stride.h"

void stride_ahead(struct agent *a, const struct version *v, struct context *context,
                  struct job *job, const struct stride_plan *plan);

#endif
