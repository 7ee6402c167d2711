/* What the agent holds and did, as JSON. Loop thread only. */
#ifndef WARMPATH_AGENT_STATUS_H
#define WARMPATH_AGENT_STATUS_H

#include <stddef.h>

#include "agent/agent.h"

/* Length of the text, which is not terminated; 0 when it does not fit. */
size_t status_json(struct agent *a, char *out, size_t size);

#endif
