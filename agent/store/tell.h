/* Telling the watcher of all blocks that are on the disk, as far as it has room for them: it is
 * told the rest once it says store_tell_more_soon(). A thread of the store's own. */
#ifndef WARMPATH_AGENT_STORE_TELL_H
#define WARMPATH_AGENT_STORE_TELL_H

#include "agent/store/shard.h"

/* How far it has come. */
struct store_tell {
    int shard;                 /* STORE_SHARDS: to the end */
    bool waits;                /* there was no room for the next: */
    char next[SHARD_NAME_MAX]; /* in that shard; empty: all of it is next */
};

/* Of those that are left in its shard, and on to the next one, or it waits. */
void store_tell_shard(struct store *s, struct store_tell *t);

#endif
