/* A block while it is being gathered from the pieces that arrive, in any order.
 *
 *   partial_new ── partial_write … partial_write ──> complete: in the store (or in memory)
 *                  readers may have what is there already
 *
 * A block has up to 64 pieces, so that a word tells which are there. Bytes that were given to a
 * reader never change: they are of one version, and a piece that comes twice is the same twice.
 *
 * Threads: partial_prepare, partial_write, partial_adopt, partial_await, partial_is_awaited,
 * partial_have, partial_missing and partial_reader from any; the rest on the loop's, or the
 * thread's that alone has it. */
#ifndef WARMPATH_AGENT_PARTIAL_H
#define WARMPATH_AGENT_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/store/store.h"

#define PARTIAL_PIECES    64
#define PARTIAL_PIECE_MIN 4096u
#define PARTIAL_PIECE_MAX (1u << 20) /* what an open brings, and a buffer holds */

struct partial;

/* A range of bytes inside a block. */
struct span {
    uint32_t from, to;
};

/* A piece is a 64th of the version's blocks; or `piece_bytes`, a power of two, if that is more. */
struct partial *partial_new(struct store *s, const struct version *v, uint64_t index,
                            uint32_t piece_bytes);
/* What is incomplete is thrown away; readers keep the descriptors that they have. */
void partial_free(struct partial *p);

uint32_t partial_len(const struct partial *p);
uint32_t partial_piece_bytes(const struct partial *p);
/* The pieces that overlap a range; for a range of the block's whole length, all. */
uint64_t partial_mask(const struct partial *p, struct span range);
/* The bytes of the first run of set bits in a mask that isn't 0. */
struct span partial_run(const struct partial *p, uint64_t mask);

/* Makes the file, if that was not done yet: it takes a while, and otherwise the first write does
 * it. `all`: everything comes now. */
void partial_prepare(struct partial *p, bool all);
/* Writes bytes at a piece's start that end at a piece's end or the block's. Once the last piece is
 * there, the block is complete and published; `hash` is then the XXH3 of all its data if the
 * caller knows it, else NULL. 0 or -errno. */
int partial_write(struct partial *p, uint32_t offset, const void *data, size_t len,
                  const uint64_t *hash);

/* Somebody waits for what is under way; so it stays. */
void partial_await(struct partial *p);
bool partial_is_awaited(const struct partial *p);

/* The whole block came in another way and is in the store: `fd` (duplicated) is it. */
void partial_adopt(struct partial *p, int fd);

/* The pieces that are there. */
uint64_t partial_have(const struct partial *p);
/* Those of a mask that the block has (a short one hasn't all 64) and that aren't there yet. */
uint64_t partial_missing(const struct partial *p, uint64_t wanted);
/* All there, and in the store unless the disk failed. */
bool partial_is_complete(const struct partial *p);
/* Bytes that an incomplete one takes of memory. Nothing is under way for it. */
uint32_t partial_memory_bytes(const struct partial *p);
/* The longest range around `need` that is there; empty when part of `need` isn't. */
struct span partial_ready(const struct partial *p, struct span need);
/* A read-only descriptor of it, the caller's; at least what partial_have() said before the call
 * can be read from it. -errno. */
int partial_reader(struct partial *p);

#endif
