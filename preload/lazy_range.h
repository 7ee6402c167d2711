/* A range with absent blocks, and the table of them: what lazy.c (bringing) and lazy_forget.c
 * (cutting holes) share. The table is read and changed under its lock. */
#ifndef WARMPATH_PRELOAD_LAZY_RANGE_H
#define WARMPATH_PRELOAD_LAZY_RANGE_H

#include "preload/lazy.h"
#include "preload/quiet.h"
#include "preload/state.h"

struct lazy {
    _Atomic uint32_t refs;
    struct object *object;
    struct span span;           /* as it was mapped */
    _Atomic uintptr_t from, to; /* what is left of it; whole pages */
    struct lazy *next_gone;     /* while it leaves the table */
    uint64_t first, n;          /* blocks of the span */
    size_t bytes;               /* of this structure */
    _Atomic uint8_t advice;     /* enum object_advice */
    _Atomic uint8_t blocks[];   /* what of each is here: lazy.c */
};

static inline struct quiet lazy_lock(void)
{
    return quiet_lock(&state.child->lazy_lock);
}

static inline void lazy_unlock(const struct quiet *q)
{
    quiet_unlock(&state.child->lazy_lock, q);
}

/* --- under the lock --- */

/* The table's next range that has a part in [from, to); `*i` is 0 first. NULL: no more. */
struct lazy *lazy_next_in(unsigned *i, uintptr_t from, uintptr_t to);
/* Puts it into the table, with a reference. False: there is no room. */
bool lazy_add(struct lazy *l);
/* Takes it out if it has nothing absent any more. True: the table's reference is the caller's now.
 */
bool lazy_drop_if_done(struct lazy *l);

/* Without it: may anything be, or have been, absent in [from, to)? */
bool lazy_is_near(uintptr_t from, uintptr_t to);

#endif
