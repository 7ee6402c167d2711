/* Sharded models: who opens an index (agent/shard_index.h) opens the files next that it names. They
 * are looked up ahead, which brings their beginnings, headers and all, with the job's own
 * credentials (agent/guess.h); and when a run comes to the end of one, the next is begun to be
 * fetched like a hint (agent/hints.h). Loop thread only.
 *
 * Bounded: SHARDS_AHEAD files are ahead of the last that was opened; one window of one file is
 * ahead of a run; hints have their allowance. */
#ifndef WARMPATH_AGENT_SHARDS_H
#define WARMPATH_AGENT_SHARDS_H

#include "agent/guess.h"
#include "agent/store/version.h"

#define SHARDS_AHEAD 16

/* A job opened this file: an index, a shard, or neither. */
void shards_file_opened(const struct guess_order *opened, const struct version *v);

/* A run through this file of the context's has come so far that its end is being fetched. */
void shards_run_ends(struct agent *a, const struct version *v, struct context *context,
                     struct job *job);

#endif
