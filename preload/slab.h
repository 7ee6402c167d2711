/* Fixed-size items without malloc and without locks: usable in signal handlers, in a forked child
 * of a threaded parent, inside another library's malloc. Memory is type-stable: an item that was
 * freed stays an item of its kind, so that a stale pointer to it can still be looked at. */
#ifndef WARMPATH_PRELOAD_SLAB_H
#define WARMPATH_PRELOAD_SLAB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_CHUNKS      1024
#define SLAB_CHUNK_ITEMS 64

struct slab_chunk {
    _Atomic uint64_t used; /* a bit an item */
    _Alignas(64) char items[];
};

struct slab {
    size_t item_bytes; /* a multiple of 64 */
    _Atomic(struct slab_chunk *) chunks[SLAB_CHUNKS];
};

#define SLAB_ITEM_BYTES(type) ((sizeof(type) + 63) / 64 * 64)

/* An item with the content that it had when it was freed (zeros the first time), or NULL. */
void *slab_take(struct slab *s);
void slab_give(struct slab *s, void *item);

/* Calls `visit` with each item in use until it returns true; that item, or NULL. */
void *slab_find(struct slab *s, int (*visit)(void *item, const void *user), const void *user);

/* Forgets all items; nobody uses one any more. */
void slab_reset(struct slab *s);

/* Is this one of the slab's items? (For pointers that may be somebody else's.) */
int slab_owns(struct slab *s, const void *item);

#endif
