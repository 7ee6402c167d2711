#include "policy/prefetch.h"

#include <stddef.h>

#define WINDOW_FIRST_BLOCKS 4
#define WINDOW_GROWTH       4
/* How far from a run's end a read may be and still belong to it, before it has a window. */
#define SLACK_BYTES (64u << 10)
/* One request's share of a wide window. Few large requests cost the server and the bill less than
 * many small ones; a window needs enough of them to use several connections. */
#define PARTS_IN_WINDOW 8
#define PART_MOST_BYTES (32u << 20)

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static uint64_t at_least(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of those that it may belong to, the one that is nearest: a wide window reaches over other runs.
 */
static struct prefetch_cursor *find(struct prefetch_stream *s, uint64_t from)
{
    struct prefetch_cursor *nearest = NULL;
    uint64_t nearest_bytes = UINT64_MAX;
    for (size_t i = 0; i < PREFETCH_CURSORS; i++) {
        struct prefetch_cursor *c = &s->cursors[i];
        uint64_t bytes = from > c->next ? from - c->next : c->next - from;
        /* Skipping forward inside the window is still the same run, and so is another
         * process that follows a little behind. */
        uint64_t reach = at_least(c->window, SLACK_BYTES);
        if (c->used && bytes <= reach && bytes < nearest_bytes) {
            nearest = c;
            nearest_bytes = bytes;
        }
    }
    return nearest;
}

/* Is the reader at the beginning of a part that goes on behind this block? The beginning lies in
 * the block before where that was here already. */
static bool begins_part(const struct prefetch_read *r)
{
    return r->part_to > round_up(r->from + 1, r->block_bytes) &&
           r->at - r->part_from < r->block_bytes;
}

/* Did the reader jump here, although some run would take the place for its own? What was asked for
 * ahead may have been given to it already, and is skipped then. */
static bool jumped(const struct prefetch_cursor *c, const struct prefetch_read *r)
{
    return begins_part(r) &&
           (r->from > c->ahead + SLACK_BYTES || c->next > r->from + r->block_bytes + SLACK_BYTES);
}

/* Where does the run end, now that its reader is here? Parts may have become known, or longer (a
 * header of which the end is not known yet), since it began. */
static void set_stop(struct prefetch_cursor *c, const struct prefetch_read *r, bool is_new)
{
    bool knew_none = !c->stop && !c->crossed;
    bool longer = c->stop && r->part_from < c->stop && r->part_to > c->stop;
    if (is_new || knew_none || longer) {
        c->stop = r->part_to;
    } else if (c->stop && r->at >= c->stop) {
        c->stop = c->crossed ? 0 : r->part_to;
        c->crossed = true;
    }
}

/* Does the jump to this part tell that the whole file will be read? */
static bool is_sweep(struct prefetch_stream *s, const struct prefetch_read *r)
{
    if (!r->lost || r->part_from == 0)
        return false; /* it was here or came: read again, perhaps; or is the header */
    s->jumped_bytes += r->part_to - r->part_from;
    s->jumps++;
    if (s->swept || s->jumps < PREFETCH_SWEEP_PARTS ||
        s->jumped_bytes < r->size_bytes / PREFETCH_SWEEP_SHARE)
        return false;
    s->swept = true;
    return true;
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

/* A run that goes on: is it time for a wider window? */
static void widen(struct prefetch_cursor *c, const struct prefetch_read *r)
{
    uint64_t blocks =
        r->advice == PREFETCH_SEQUENTIAL ? 2 * WINDOW_FIRST_BLOCKS : WINDOW_FIRST_BLOCKS;
    uint64_t first = at_most(blocks * r->block_bytes, r->most_bytes);
    uint64_t part = at_most(r->part_to - r->part_from, r->most_bytes);
    if (c->stop && c->window < part)
        c->window = part;
    else if (c->window == 0)
        c->window = first;
    else if (r->to >= c->grow_at)
        c->window = at_most(c->window * WINDOW_GROWTH, r->most_bytes);
    else
        return;
    c->grow_at = r->to + c->window / WINDOW_GROWTH;
}

static uint64_t end_of_run(const struct prefetch_cursor *c, const struct prefetch_read *r)
{
    uint64_t end = round_up(r->size_bytes, r->block_bytes);
    return c->stop ? at_most(end, round_up(c->stop, r->block_bytes)) : end;
}

/* What is read from the disk in front of this reader, who may follow another, or come again: the
 * page cache may have let go meanwhile. */
static void warm(struct prefetch_cursor *c, const struct prefetch_read *r,
                 struct prefetch_plan *plan)
{
    uint64_t begin = round_up(r->to, r->block_bytes);
    uint64_t most = at_most(c->window, PREFETCH_WARM_BYTES) / r->block_bytes * r->block_bytes;
    if (c->warm < begin || begin < c->warmed_at)
        c->warm = begin;
    c->warmed_at = begin;
    plan->warm_from = c->warm;
    plan->warm_to = at_least(at_most(begin + most, end_of_run(c, r)), c->warm);
    c->warm = plan->warm_to;
}

uint64_t prefetch_part_bytes(uint64_t bytes, uint64_t block_bytes)
{
    uint64_t part = at_most(bytes / PARTS_IN_WINDOW, PART_MOST_BYTES);
    return at_least(part / block_bytes, 1) * block_bytes;
}

struct prefetch_plan prefetch_next(struct prefetch_stream *s, const struct prefetch_read *r)
{
    struct prefetch_plan plan = {0};
    if (r->advice == PREFETCH_RANDOM)
        return plan;
    struct prefetch_cursor *c = find(s, r->from);
    bool is_new = !c || jumped(c, r);
    bool continues = !is_new || (r->from == 0 && r->need >= PREFETCH_LARGE_READ) ||
                     r->advice == PREFETCH_SEQUENTIAL || begins_part(r);
    if (is_new)
        c = replace(s);
    if (is_new && begins_part(r))
        plan.sweep = is_sweep(s, r);
    c->used = ++s->clock;
    plan.sequential = continues;
    if (continues && r->to <= c->next) {
        if (!r->lost) {
            warm(c, r, &plan);
            return plan;
        }
        *c = (struct prefetch_cursor){.used = c->used}; /* another pass, and the cache has let go */
        is_new = true;
    }
    set_stop(c, r, is_new);
    c->next = at_least(c->next, r->to);
    c->ahead = at_least(c->ahead, round_up(c->next, r->block_bytes));
    if (!continues) {
        const struct stride_read read = {
            {r->from, r->to}, r->size_bytes, r->block_bytes, r->most_bytes};
        plan.stride = stride_next(&s->stride, &read);
        return plan;
    }
    widen(c, r);

    uint64_t end = end_of_run(c, r);
    uint64_t stop = at_most(round_up(c->next + c->window, r->block_bytes), end);
    warm(c, r, &plan);
    plan.ends = stop >= r->size_bytes && (!c->stop || c->crossed) && !c->ended;
    c->ended |= plan.ends;
    plan.part_bytes = prefetch_part_bytes(c->window, r->block_bytes);
    /* A whole part at a time, but at the end. */
    if (stop <= c->ahead || (stop < end && stop - c->ahead < plan.part_bytes))
        return plan;
    plan.from = c->ahead;
    plan.to = stop;
    c->ahead = stop;
    return plan;
}

void prefetch_gave(struct prefetch_stream *s, uint64_t from, uint64_t to)
{
    struct prefetch_cursor *latest = NULL;
    for (size_t i = 0; i < PREFETCH_CURSORS; i++) {
        struct prefetch_cursor *c = &s->cursors[i];
        bool may_be = c->used && c->next >= from && c->next <= to;
        if (may_be && (!latest || c->used > latest->used))
            latest = c;
    }
    if (latest)
        latest->next = to;
}

void prefetch_stopped_at(struct prefetch_stream *s, uint64_t at)
{
    struct prefetch_cursor *latest = &s->cursors[0];
    for (size_t i = 1; i < PREFETCH_CURSORS; i++)
        if (s->cursors[i].used > latest->used)
            latest = &s->cursors[i];
    if (latest->ahead > at)
        latest->ahead = at_least(at, latest->next);
}
