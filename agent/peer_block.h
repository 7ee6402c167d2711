/* A block file on its way in from another node's store: data, padding and trailer, in whatever
 * pieces they come. Checksum and identity are looked at before anybody sees a byte.
 *
 *   peer_block_begin ── peer_block_take … peer_block_take ── peer_block_end ──> in the store
 *                                  └──────────────────────── peer_block_drop
 *
 * One thread at a time; which one is the caller's choice. */
#ifndef WARMPATH_AGENT_PEER_BLOCK_H
#define WARMPATH_AGENT_PEER_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/store.h"

struct peer_block;

struct peer_block *peer_block_begin(struct store *s, const struct version *v, uint64_t index);

/* The longest that the block's file can be. */
uint64_t peer_block_most_bytes(const struct version *v, uint64_t index);

/* The next bytes of the file. False: there are too many, or they can't be kept. */
bool peer_block_take(struct peer_block *b, const void *data, size_t len);

/* All came. Publishes the block and gives a descriptor of it, the caller's; -EBADMSG when it is not
 * the block that was asked for, or not whole; -errno when it can't be kept. Frees. */
int peer_block_end(struct peer_block *b);

/* The rest won't come. Frees. */
void peer_block_drop(struct peer_block *b);

#endif
