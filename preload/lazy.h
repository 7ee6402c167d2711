/* Mapped ranges whose absent blocks come when they are touched.
 *
 *            mmap of a cold object
 *   ┌──────────┬─────────────────┬──────────┬───────┐
 *   │ block 0  │ absent          │ block 7  │ absent│     absent: an empty file, mapped
 *   └──────────┴───▲─────────────┴──────────┴───────┘
 *                  └ touched: SIGBUS → sigbus.c → lazy_bring(): the agent gives the block's file,
 *                    it is mapped there, and the touch happens again
 *
 * An absent part is a mapping of an empty file. So it has the protection that the job asked for,
 * and whatever is done to it (mprotect, madvise, fork, by whom ever) no page of zeros can come out
 * of it: the kernel has none to give. A touch of the job's own is SIGBUS; a system call that is
 * handed such memory would fail with EFAULT, so hooks bring it first (lazy_need).
 *
 * Any thread; lazy_bring() also in a signal handler, whatever was interrupted: it takes no lock
 * that is held while memory of the job's is touched, and no malloc. The table's lock is not held
 * while the agent is asked, so several threads may ask for one block; the first to come back maps
 * it, and nobody maps it again (that would undo what was written into a private map meanwhile). A
 * range leaves the table once all its blocks are here. */
#ifndef WARMPATH_PRELOAD_LAZY_H
#define WARMPATH_PRELOAD_LAZY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "preload/span.h"

/* How many ranges have absent blocks. */
extern _Atomic unsigned lazy_ranges;

static inline bool lazy_any(void)
{
    return __builtin_expect(atomic_load_explicit(&lazy_ranges, memory_order_relaxed) != 0, 0);
}

struct lazy;

/* A range that nobody else knows yet; all its blocks count as absent. NULL: no memory. */
struct lazy *lazy_new(const struct span *s, struct object *o);
/* Maps a block into it. 0 or -errno. */
int lazy_place(struct lazy *l, uint64_t index, int fd);
/* The first absent block from `index` on, or UINT64_MAX. */
uint64_t lazy_next_absent(const struct lazy *l, uint64_t index);
uint64_t lazy_absent_bytes(const struct lazy *l);
/* From now on touches bring its blocks. False when there are too many such ranges. */
bool lazy_list(struct lazy *l);
/* The caller's hold on it ends; a listed range stays. */
void lazy_unref(struct lazy *l);

enum lazy_answer { LAZY_BROUGHT, LAZY_IS_HERE, LAZY_NOT_OURS, LAZY_FAILED };

/* Maps the block to which this address belongs, and those behind it that the agent holds. FAILED:
 * it can't be had (the job's log was told why). */
enum lazy_answer lazy_bring(uintptr_t address);
/* Grows whenever a block is mapped somewhere. */
uint64_t lazy_changes(void);

/* Brings what is absent in [at, at + len). 0 or -errno. */
int lazy_fill(const void *at, size_t len);
/* Everything that is absent anywhere. 0 or -errno. */
int lazy_fill_all(void);

/* Hints: the job will soon touch that memory; this is how it will touch it (enum object_advice; for
 * all of each range that the memory is a part of). Nobody waits, nothing fails. */
void lazy_want(const void *at, size_t len);
void lazy_advise(const void *at, size_t len, uint8_t advice);

/* Before the kernel is handed that memory. What can't be brought is left for the call to find: it
 * fails with EFAULT. errno is kept. */
void lazy_need_now(uintptr_t at, size_t len);
void lazy_need_pieces_now(const struct iovec *pieces, size_t n);
static inline void lazy_need(const void *at, size_t len)
{
    if (lazy_any())
        lazy_need_now((uintptr_t)at, len);
}
static inline void lazy_need_pieces(const struct iovec *pieces, size_t n)
{
    if (lazy_any())
        lazy_need_pieces_now(pieces, n);
}

/* That memory is about to become something else. 0, or -ENOMEM: then it must not. */
int lazy_forget(const void *at, size_t len);

/* The protection with which the range that holds all of this memory is mapped, or -1. */
int lazy_protection(const void *at, size_t len);

#endif
