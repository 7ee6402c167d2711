/* Reads at even distances: backwards through a file, every tenth record, a column of a table.
 * Pure: byte ranges in, a plan out.
 *
 * Who is in no run of policy/prefetch and came to a place as far from the one before as that was
 * from the one before it, and that from another, is taken to go on so: what it needs of the next
 * places comes ahead, 4 at first, one more with each that was right, and up to 64. Several may do
 * so at once. Steps that leave out little are taken as whole blocks, one after the other.
 *
 * Places may have been left out where what is there was in the reader's hands already. Wrong
 * guesses are bounded for each stream: once more than 16 and half of those that were right came in
 * vain, no other way is begun; and what is ahead of a way is 4 more than were right on it. */
#ifndef WARMPATH_POLICY_STRIDE_H
#define WARMPATH_POLICY_STRIDE_H

#include <stdbool.h>
#include <stdint.h>

#define STRIDE_RUNS    8
#define STRIDE_PAST    32 /* of 8 runs that alternate the last three reads, and some besides */
#define STRIDE_DEEPEST 64

struct stride_span {
    uint64_t from, to;
};

struct stride_run {
    int64_t step;   /* bytes; 0: free */
    uint64_t at;    /* where its reader was last */
    uint32_t depth; /* so many steps are to be ahead of it, */
    uint32_t ahead; /* and so many are */
    uint64_t need;  /* the least that was asked for at a place */
    bool blocks;    /* a step is a block */
    uint64_t used;
};

struct stride {
    struct stride_run runs[STRIDE_RUNS];
    struct stride_span past[STRIDE_PAST]; /* empty ones: none yet */
    uint32_t at;                          /* the next to be replaced in `past` */
    uint32_t right, wrong;                /* guesses */
    uint64_t clock;
};

struct stride_read {
    struct stride_span span; /* what is asked for, within one block or of several blocks */
    uint64_t size_bytes;     /* of the object */
    uint64_t block_bytes;
    uint64_t most_bytes; /* may be ahead of a run */
};

/* Fetch [first + i * step, first + i * step + len) for all i < count, in this order. */
struct stride_plan {
    uint64_t first;
    int64_t step;
    uint64_t len;
    uint32_t count;
};

struct stride_plan stride_next(struct stride *s, const struct stride_read *r);

#endif
