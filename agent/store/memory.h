/* The store's blocks that its disk did not take (it is full, stalled, or too slow): in memory
 * files, found like those on the disk, and bounded.
 *
 *   booked while it is written ── kept once complete ──> gone: the disk has it (behind.h),
 *                                                        room is needed, or nobody asked
 *
 * Room is made by those that were used, the least recently used first; then by those that wait for
 * their first reader. A reader that has a descriptor keeps it; what it maps stays, too, so it
 * should not map what it only reads.
 *
 * Any thread. Times are clock_monotonic_ms(). */
#ifndef WARMPATH_AGENT_STORE_MEMORY_H
#define WARMPATH_AGENT_STORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/store.h"

/* A block that nobody asked for within this time goes. */
#define STORE_MEMORY_UNUSED_MS 60000
/* One that came ahead of its reader, and that no reader asked for in this time, waits for none. */
#define STORE_MEMORY_AHEAD_MS 10000

/* No more blocks, nor more than a quarter of the descriptors that the process may have: each holds
 * one, and small ones take more memory than their bytes. */
#define STORE_MEMORY_BLOCKS_MAX 4096

struct store_memory;

/* Told of each complete block that had to make room. With no lock held. May be NULL. */
typedef void store_memory_left(void *user, const struct version *v, uint64_t index);
struct store_memory *store_memory_new(store_memory_left *left, void *user);
void store_memory_free(struct store_memory *m);

/* Incomplete blocks take so many more bytes of memory; negative: fewer. */
void store_memory_book(struct store_memory *m, int64_t bytes);

/* Keeps a complete block: `fd` (duplicated) is a read-only descriptor of it. Its bytes were booked,
 * and are the store's now. */
void store_memory_keep(struct store_memory *m, const struct version *v, uint64_t index, int fd,
                       uint32_t bytes, int64_t now_ms);

/* A descriptor, the caller's, or -ENOENT. Somebody uses it. */
int store_memory_get(struct store_memory *m, const struct store_place *place, int64_t now_ms);
/* Is it here? No use of it. */
bool store_memory_has(struct store_memory *m, const struct store_place *place);
/* Is this a descriptor of a memory file, kept or not (any more)? */
bool store_memory_is(const struct store_memory *m, int fd);
/* Its reader has it already. */
void store_memory_used(struct store_memory *m, const struct store_place *place);

/* The one to be written to the disk next: those first that would go first. A descriptor, the
 * caller's, with its names in `v` and `index`; or -ENOENT. */
int store_memory_next(struct store_memory *m, struct version *v, uint64_t *index);
/* The disk has it: it goes. */
void store_memory_written(struct store_memory *m, const struct store_place *place);
bool store_memory_is_empty(const struct store_memory *m);

/* Those that were not used for a while go. */
void store_memory_tick(struct store_memory *m, int64_t now_ms);
void store_memory_empty(struct store_memory *m);

/* Bytes of all, incomplete ones among them. */
uint64_t store_memory_bytes(const struct store_memory *m);
/* Bytes of those that wait for their first reader. */
uint64_t store_memory_ahead_bytes(struct store_memory *m, int64_t now_ms);

#endif
