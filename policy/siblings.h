/* Which files of a directory to fetch before they are opened. Pure: opens of names in, names to
 * fetch out.
 *
 * A name is its place in the directory's listing. Two orders are looked at, the listing's (by
 * bytes) and, where it differs, the natural one (img9 before img10). In either, opens at even
 * distances make a run: forwards, backwards, every eighth; several at once, as of several
 * workers. A run gets the next names of its kind. Where there is no order but a quarter of all
 * names was opened, the rest is swept: fetched in the listing's order (a shuffled DataLoader).
 *
 * What a wrong guess costs is bounded for each directory:
 *   runs   at most SIBLINGS_WINDOW names or SIBLINGS_BYTES are ahead and not opened; the window
 *          starts with SIBLINGS_FIRST, grows by one with each hit, and starts again after a while
 *          without one. Over time no more than SIBLINGS_WRONG and half of the names that were
 *          opened are wrong: then nothing is guessed.
 *   sweep  at most SIBLINGS_SWEEP names or SIBLINGS_SWEEP_BYTES are ahead and not opened, and never
 *          more than three times as many as were opened. */
#ifndef WARMPATH_POLICY_SIBLINGS_H
#define WARMPATH_POLICY_SIBLINGS_H

#include <stdbool.h>
#include <stdint.h>

#define SIBLINGS_FIRST       8
#define SIBLINGS_WINDOW      64
#define SIBLINGS_BYTES       (32u << 20)
#define SIBLINGS_WRONG       32
#define SIBLINGS_SWEEP       1024
#define SIBLINGS_SWEEP_BYTES (64u << 20)
#define SIBLINGS_RUNS        16
/* The most names that one open adds. */
#define SIBLINGS_PICKS 16

enum sibling_state {
    SIBLING_UNKNOWN,
    SIBLING_AHEAD, /* picked for a run, not opened yet */
    SIBLING_SWEPT, /* picked by the sweep, not opened yet */
    SIBLING_OPENED,
    SIBLING_WRONG, /* picked, and given up */
};

struct sibling_run {
    int64_t last; /* place of the latest open */
    int64_t step; /* 0: only one open yet */
    uint32_t length;
    uint64_t used; /* clock of the latest open; 0: free */
};

/* One of the two orders. */
struct sibling_order {
    const uint32_t *place_of; /* name → place; NULL: the same */
    const uint32_t *name_at;  /* place → name; NULL: the same */
    struct sibling_run runs[SIBLINGS_RUNS];
};

/* All zero but for what the caller sets. */
struct siblings {
    /* the caller's */
    uint32_t n;
    uint8_t *state;                 /* n of enum sibling_state, zeros at first */
    const uint32_t *cost;           /* n: bytes that fetching takes */
    struct sibling_order orders[2]; /* the listing's; the natural one, if it has its tables */

    uint64_t clock;
    uint32_t window;       /* 0: SIBLINGS_FIRST */
    uint32_t since_hit;    /* first opens since the last that was ahead */
    uint32_t ahead, swept; /* names in these states */
    uint64_t ahead_bytes, swept_bytes;
    uint32_t opened; /* names that were opened */
    uint32_t wrong;  /* names that a run picked and that were given up */
    uint64_t unused; /* all names that were given up so far: for counting */
    uint32_t sweep_at;
};

/* `name` was opened. Names to fetch now, to be taken as fetched; their number. */
uint32_t siblings_opened(struct siblings *s, uint32_t name, uint32_t picks[SIBLINGS_PICKS]);

/* Has a run come so far that more names should be learned? */
bool siblings_near_end(const struct siblings *s);

/* The first `n` names are left out: all others move down by that much. Called before the caller
 * moves its arrays; the natural order has to be set anew. */
void siblings_shift(struct siblings *s, uint32_t n);

/* What is known of opens has become old: forgets it, but not the runs. Names that were ahead and
 * were not opened are given up. */
void siblings_renew(struct siblings *s);

#endif
