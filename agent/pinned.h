/* VersionIds of contents that jobs opened in buckets that keep versions: with one, what was opened
 * can still be read after it was replaced or deleted. The last 65,536 are remembered, until the
 * agent ends. Loop thread only. */
#ifndef WARMPATH_AGENT_PINNED_H
#define WARMPATH_AGENT_PINNED_H

#include "agent/store/version.h"

void pinned_put(const struct version_id *id, const char *version_id);
/* "" where none is known. Borrowed until the next pinned_put(). */
const char *pinned_get(const struct version_id *id);

#endif
