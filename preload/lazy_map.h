/* mmap of a range that may be large: which blocks are here, and shall the others be waited for? */
#ifndef WARMPATH_PRELOAD_LAZY_MAP_H
#define WARMPATH_PRELOAD_LAZY_MAP_H

#include <stdbool.h>

#include "preload/span.h"

/* May this range be lazy? `flags` are mmap's: MAP_POPULATE and MAP_LOCKED want all of it. */
bool lazy_map_wanted(const struct span *s, int flags);

/* From now on no range may be (mlockall). */
void lazy_map_never_again(void);

/* Maps the blocks that the agent holds. Where no more than WARMPATH_MMAP is absent, fetches and
 * maps that too; else it comes when it is touched. 0 or -errno. */
int lazy_map(const struct span *s, struct object *o);

#endif
