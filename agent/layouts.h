/* The layouts (agent/layout) of the objects that are being read, for policy/prefetch. An object's
 * is found from what its readers brought here: each time that one wants bytes from the agent, the
 * scan goes on with what has come since, and once its last byte is here the layout is known. The
 * latest used are remembered. Loop thread only. */
#ifndef WARMPATH_AGENT_LAYOUTS_H
#define WARMPATH_AGENT_LAYOUTS_H

#include "agent/agent.h"
#include "agent/layout.h"
#include "agent/store/version.h"

#define LAYOUTS_MAX 64 /* 16 MiB at most, where each has as many parts as may be */

/* The part of the object in which this byte lies. Empty: its layout is not known, or has none
 * there. Never waits for S3, and for the disk as store_get() does. */
struct layout_part layouts_part(struct agent *a, const struct version *v, uint64_t at);

#endif
