/* Telling the watcher of all blocks that are on the disk. */
#ifndef WARMPATH_AGENT_STORE_TELL_H
#define WARMPATH_AGENT_STORE_TELL_H

#include <stdbool.h>

struct store;

/* Of those in one shard. False: no more is wanted. */
bool store_tell_shard(struct store *s, int shard);

#endif
