/* How far to fetch ahead of a reader, and whether it reads in sequence at all. Pure: byte ranges
 * in, a plan out.
 *
 * A stream holds the cursors of one version for one job: several sequential runs may go through a
 * file at once. A run that continues widens its window, as TCP's slow start and the kernel's
 * on-demand readahead do; a read out of every run's reach starts a new one with no window, so
 * random reads fetch nothing ahead. What the reader needs itself is not part of the plan.
 *
 * A reader may have said how it reads (posix_fadvise, madvise). In sequence: its first read begins
 * a run already, wherever it is, and with twice the window. At random: it is no run, and neither
 * moves nor uses up those of others.
 *
 * Where it is known which part of the file the reader is in (agent/layout: a tensor), a jump to
 * the beginning of one begins a run of exactly that part, all of it at once; and no run goes beyond
 * its part before the reader went on to the next by itself, twice. Once it jumped to so many that
 * they make a quarter of the file, it is taken to read all of it, in an order of its own. */
#ifndef WARMPATH_POLICY_PREFETCH_H
#define WARMPATH_POLICY_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/stride.h"

#define PREFETCH_CURSORS 16
/* A read of that many bytes at the start of a file begins a run at once. */
#define PREFETCH_LARGE_READ (128u << 10)
/* No more than that is read ahead from the disk: it answers sooner than S3, and memory that is
 * filled long before it is read may be gone by then. */
#define PREFETCH_WARM_BYTES (32u << 20)
/* A reader that jumped to so many parts of a file, and to that share of its bytes, wants the rest.
 */
#define PREFETCH_SWEEP_PARTS 4
#define PREFETCH_SWEEP_SHARE 4

struct prefetch_cursor {
    uint64_t next;      /* the byte that continues the run */
    uint64_t ahead;     /* bytes below this were asked for already */
    uint64_t warm;      /* and below this from the disk, */
    uint64_t warmed_at; /* for a reader that was here */
    uint64_t window;    /* bytes; 0: not yet seen to continue */
    uint64_t grow_at;   /* the window grows once the run has come this far */
    uint64_t stop;      /* the end of its part; 0: nothing stops it */
    bool ended;         /* it was said that its file ends */
    bool crossed;       /* it went on to another part once */
    uint64_t used;      /* for replacing the least recently used; 0: free */
};

struct prefetch_stream {
    struct prefetch_cursor cursors[PREFETCH_CURSORS];
    uint64_t clock;
    uint64_t jumped_bytes; /* of the parts that were jumped to */
    uint32_t jumps;
    bool swept;
    struct stride stride; /* of reads that are in no run */
};

enum prefetch_advice { PREFETCH_NORMAL, PREFETCH_SEQUENTIAL, PREFETCH_RANDOM };

/* What the reader asked for, and got or waits for. */
struct prefetch_read {
    uint64_t from, to;           /* bytes of the object; `to` is the end of what it is given */
    uint64_t need;               /* bytes that it asked for */
    uint64_t size_bytes;         /* of the object */
    uint64_t block_bytes;        /* ranges to fetch are whole blocks */
    uint64_t most_bytes;         /* bounds the window */
    bool lost;                   /* `from` is neither here nor under way */
    uint64_t at;                 /* what the reader is after; not before `from` */
    uint64_t part_from, part_to; /* the part of the file in which that lies; 0, 0: not known */
    enum prefetch_advice advice;
};

struct prefetch_plan {
    bool sequential;     /* the read belongs to a run */
    uint64_t from, to;   /* fetch this now, too; whole blocks behind the read; equal: nothing */
    uint64_t part_bytes; /* in pieces of this size, a multiple of the block's */
    uint64_t warm_from, warm_to; /* what of this is stored, read from the disk; whole blocks, too */
    bool ends;                   /* the file is read in order, and this is its end; said once */
    bool sweep;                  /* all of the file will be wanted, in any order; said once */
    struct stride_plan stride;   /* and this, of a reader that goes on at even distances */
};

/* The ranges of a run's plans do not overlap, unless its bytes got `lost`: then they come again. */
struct prefetch_plan prefetch_next(struct prefetch_stream *s, const struct prefetch_read *r);

/* Fetching `bytes` at once: in requests of this size, a multiple of the block's. */
uint64_t prefetch_part_bytes(uint64_t bytes, uint64_t block_bytes);

/* The last read, which began at `from`, is given bytes up to `to`, more than it asked for. That is
 * not going on, but what its reader asks for next lies behind them. */
void prefetch_gave(struct prefetch_stream *s, uint64_t from, uint64_t to);

/* The caller fetched the last plan's range only up to byte `at`: the rest is planned again. */
void prefetch_stopped_at(struct prefetch_stream *s, uint64_t at);

#endif
