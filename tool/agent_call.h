/* Asking the agent that belongs to this environment. Never starts one. */
#ifndef WARMPATH_TOOL_AGENT_CALL_H
#define WARMPATH_TOOL_AGENT_CALL_H

#include <stddef.h>
#include <sys/types.h>

#include "common/wire.h"

/* Sends a request without a body and receives its reply. Its length; -ENOENT when no agent runs
 * (not an error for most); other -errno after a line on stderr. */
ssize_t agent_call(enum wire_op op, void *reply, size_t size);

#endif
