/* Bytes of objects that are in memory: of blocks in the store or on their way. Loop thread only. */
#ifndef WARMPATH_AGENT_HERE_H
#define WARMPATH_AGENT_HERE_H

#include "agent/agent.h"
#include "agent/store/version.h"

/* Up to `len` bytes from `at` on, as far as they are here without a gap; how many. Never waits for
 * S3, and for the disk as store_get() does: what is stored but not in the page cache is not here.
 */
size_t here_read(struct agent *a, const struct version *v, uint64_t at, void *data, size_t len);

#endif
