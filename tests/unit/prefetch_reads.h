/* Reads of an object, as policy/prefetch is told of them. */
#ifndef WARMPATH_TESTS_PREFETCH_READS_H
#define WARMPATH_TESTS_PREFETCH_READS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/prefetch.h"

#define BLOCK  (4u << 20)
#define BLOCKS 1000
#define MOST   (64u << 20)

/* Reads [from, to) of an object of `blocks` blocks. */
static inline struct prefetch_plan read_bytes(struct prefetch_stream *s, uint64_t from, uint64_t to,
                                              uint64_t blocks, bool lost)
{
    struct prefetch_read r = {.from = from,
                              .to = to,
                              .need = to - from,
                              .size_bytes = blocks * BLOCK,
                              .block_bytes = BLOCK,
                              .most_bytes = MOST,
                              .lost = lost};
    return prefetch_next(s, &r);
}

static inline struct prefetch_plan read_block(struct prefetch_stream *s, uint64_t i,
                                              uint64_t blocks, bool lost)
{
    return read_bytes(s, i * BLOCK, (i + 1) * BLOCK, blocks, lost);
}

static inline uint64_t bytes(struct prefetch_plan p)
{
    return p.to - p.from;
}

#endif
