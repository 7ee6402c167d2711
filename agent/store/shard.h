/* One of the store's STORE_SHARDS folders of blocks: what lies in it. */
#ifndef WARMPATH_AGENT_STORE_SHARD_H
#define WARMPATH_AGENT_STORE_SHARD_H

#include "agent/store/store.h"
#include "policy/evict.h"

#define SHARD_NAME_MAX 48

/* Files by their names; a candidate's `ref` is the place of its name. Zeros at first. */
struct shard {
    struct evict_candidate *candidates;
    char (*names)[SHARD_NAME_MAX];
    size_t n, room;
};

/* A descriptor of the folder, the caller's, or -1 with errno. */
int shard_open(struct store *s, int shard);
/* Adds all files. False: the folder can't be read. */
bool shard_list(int shard_fd, struct shard *out);
void shard_clear(struct shard *l);

/* What a block's file says by its name; false: it is no block. */
bool shard_read_name(const char *name, struct store_place *out);

#endif
