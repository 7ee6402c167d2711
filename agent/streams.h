/* The prefetch cursors of each version and job. Loop thread only. */
#ifndef WARMPATH_AGENT_STREAMS_H
#define WARMPATH_AGENT_STREAMS_H

#include "agent/job.h"
#include "agent/store/version.h"
#include "policy/prefetch.h"

/* Made if need be. Borrowed until the next call. */
struct prefetch_stream *stream_get(const struct version_id *version, struct job *job);

#endif
