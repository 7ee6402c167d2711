/* Write-behind: a disk that is slower than what comes in holds no reader up. Blocks that begin
 * while it is behind go to memory, as they do where it is full or stalled, and all that is there is
 * written to it as fast as it takes them, one after the other. What memory has no room for
 * meanwhile is read and forgotten.
 *
 * Any thread. */
#ifndef WARMPATH_AGENT_STORE_BEHIND_H
#define WARMPATH_AGENT_STORE_BEHIND_H

#include <stdbool.h>
#include <stdint.h>

struct store;

/* A piece of a block was written by a thread of the disk's. */
void store_behind_wrote(struct store *s, uint64_t bytes, int64_t took_ns);

/* Should new blocks, and what comes of those under way, go to memory? */
bool store_is_behind(const struct store *s);

/* Begins to write what memory has, unless that is under way, or the disk takes nothing. Cheap. */
void store_behind_go_on(struct store *s);

#endif
