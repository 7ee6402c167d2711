/* How far to fetch ahead of a reader. Pure: block numbers in, a range of blocks out.
 *
 * A stream holds the cursors of one version for one job: several sequential runs may go
 * through a file at once. A run that continues doubles its window, as TCP's slow start and the
 * kernel's on-demand readahead do; a read out of every run's reach starts a new run with no window.
 */
#ifndef WARMPATH_POLICY_PREFETCH_H
#define WARMPATH_POLICY_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#define PREFETCH_CURSORS 8

struct prefetch_cursor {
    uint64_t next;   /* the block that continues the run */
    uint64_t ahead;  /* blocks below this were asked for already */
    uint32_t window; /* blocks */
    uint64_t used;   /* for replacing the least recently used */
};

struct prefetch_stream {
    struct prefetch_cursor cursors[PREFETCH_CURSORS];
    uint64_t clock;
};

struct prefetch_range {
    uint64_t first, count; /* blocks to fetch now; count 0: none */
};

/* The reader was given blocks [first, first + count) of `n_blocks`, of which the first was `missed`
 * (had to be fetched). `most_blocks` bounds a window. The range lies behind these and does not
 * overlap what earlier calls returned for the run. */
struct prefetch_range prefetch_next(struct prefetch_stream *s, uint64_t first, uint64_t count,
                                    uint64_t n_blocks, uint32_t most_blocks, bool missed);

/* The caller fetched the range that it was just given only up to `block`: the rest is given again.
 */
void prefetch_stopped_at(struct prefetch_stream *s, uint64_t block);

#endif
