/* One line for the job's log when something fails because of cache or origin: what, why, what to
 * do. The same line comes at most once in ten seconds, and no more than 50 in all. */
#ifndef WARMPATH_PRELOAD_FAULT_H
#define WARMPATH_PRELOAD_FAULT_H

#include <stddef.h>

/* `error` is positive. `why` need not be terminated. */
void fault_tell(const char *path, int error, const char *why, size_t why_len);

/* A call that isn't supported on a mapped path. */
void fault_unsupported(const char *call, const char *path, int error);

#endif
