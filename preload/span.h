/* A range of an object in the job's memory: where the files of its blocks are put. */
#ifndef WARMPATH_PRELOAD_SPAN_H
#define WARMPATH_PRELOAD_SPAN_H

#include <stddef.h>
#include <stdint.h>

#include "preload/object.h"

#define PAGE 4096u

static inline uintptr_t page_up(uintptr_t n)
{
    return (n + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
}

struct span {
    char *at;        /* where the range begins in memory */
    uint64_t offset; /* of the range in the object, a multiple of the page's */
    size_t len;      /* bytes; ends at the last page that holds data */
    int protection, flags;
};

static inline uint64_t span_first_block(const struct span *s, const struct object *o)
{
    return s->offset >> o->block_shift;
}

static inline uint64_t span_blocks(const struct span *s, const struct object *o)
{
    return ((s->offset + s->len - 1) >> o->block_shift) - span_first_block(s, o) + 1;
}

/* Where a block's first byte is, or would be if the range began earlier. */
static inline uintptr_t span_address(const struct span *s, const struct object *o, uint64_t index)
{
    return (uintptr_t)s->at + (index << o->block_shift) - s->offset;
}

/* Maps the part of one block's file that lies in the range and in [from, to) of memory, both
 * multiples of the page's, over what is there. 0 or -errno. */
int span_place(const struct span *s, const struct object *o, uint64_t index, int fd, uintptr_t from,
               uintptr_t to);

/* The same for all of it. */
static inline int span_place_whole(const struct span *s, const struct object *o, uint64_t index,
                                   int fd)
{
    return span_place(s, o, index, fd, (uintptr_t)s->at, page_up((uintptr_t)s->at + s->len));
}

#endif
