/* Where mapped files lie in memory: for mremap() alone.
 *
 * The kernel would let such a range grow over what follows in a block's file, which is not the
 * object's. Lock-free; of very many ranges the oldest are forgotten. */
#ifndef WARMPATH_PRELOAD_RANGE_H
#define WARMPATH_PRELOAD_RANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

extern atomic_bool range_any; /* was there ever one? */

/* `room`: how long the range may become and still be the object's bytes, in bytes. */
void range_add(void *start, size_t len, size_t room);

/* This memory is something else now. */
void range_forget(void *start, size_t len);

/* mremap() put a range elsewhere or changed its length. */
void range_move(void *from, size_t len, void *to, size_t new_len);

/* May the range at `start` become that long? True for memory that is none of ours. */
bool range_may_grow(const void *start, size_t len);

#endif
