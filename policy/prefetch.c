#include "policy/prefetch.h"

#include <stdbool.h>
#include <stddef.h>

#define WINDOW_FIRST 4

static struct prefetch_cursor *find(struct prefetch_stream *s, uint64_t first)
{
    for (size_t i = 0; i < PREFETCH_CURSORS; i++) {
        struct prefetch_cursor *c = &s->cursors[i];
        /* Skipping forward inside the window is still the same run, and so is another
         * process that follows a little behind. */
        if (c->used && first + c->window >= c->next && first <= c->next + c->window)
            return c;
    }
    return NULL;
}

static struct prefetch_cursor *replace(struct prefetch_stream *s)
{
    struct prefetch_cursor *oldest = &s->cursors[0];
    for (size_t i = 1; i < PREFETCH_CURSORS; i++)
        if (s->cursors[i].used < oldest->used)
            oldest = &s->cursors[i];
    *oldest = (struct prefetch_cursor){0};
    return oldest;
}

struct prefetch_range prefetch_next(struct prefetch_stream *s, uint64_t first, uint64_t count,
                                    uint64_t n_blocks, uint32_t most_blocks, bool missed)
{
    struct prefetch_range none = {0, 0};
    struct prefetch_cursor *c = find(s, first);
    /* The start of a file counts as the start of a run; elsewhere a second read must show it. */
    bool continues = c || first == 0;
    if (!c)
        c = replace(s);
    c->used = ++s->clock;
    if (continues && first + count <= c->next) {
        if (!missed)
            return none;
        *c = (struct prefetch_cursor){.used = c->used}; /* another pass, and the cache has let go */
    }
    c->next = first + count;
    if (c->ahead < c->next)
        c->ahead = c->next;
    if (!continues) {
        c->window = 0;
        return none;
    }
    c->window = c->window ? c->window * 2 : WINDOW_FIRST;
    if (c->window > most_blocks)
        c->window = most_blocks;

    uint64_t stop = c->next + c->window;
    if (stop > n_blocks)
        stop = n_blocks;
    if (stop <= c->ahead)
        return none;
    struct prefetch_range r = {c->ahead, stop - c->ahead};
    c->ahead = stop;
    return r;
}

void prefetch_stopped_at(struct prefetch_stream *s, uint64_t block)
{
    struct prefetch_cursor *latest = &s->cursors[0];
    for (size_t i = 1; i < PREFETCH_CURSORS; i++)
        if (s->cursors[i].used > latest->used)
            latest = &s->cursors[i];
    if (latest->ahead > block)
        latest->ahead = block > latest->next ? block : latest->next;
}
