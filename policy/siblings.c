#include "policy/siblings.h"

#include <stddef.h>
#include <string.h>

/* Steps that a run may skip and still be the same. */
#define REACH SIBLINGS_WINDOW
/* The widest step of a run. Wider ones are workers that take turns, each with a batch. */
#define STEP_MOST 16
/* A run in steps of one acts from the third open on, or from the second if that came right after
 * the first; one in other steps from the fourth. */
#define ACTS_NEXT 3
#define ACTS_STEP 4
/* A run goes on if it was seen among the last so many opens; it may be so far ahead at least. */
#define RECENT      64
#define SHARE_LEAST 4
/* A run's names are picked together, in parts of what may be ahead of it. */
#define PICK_SHARE 4
/* First opens without a hit after which what is ahead is given up. */
#define GIVE_UP_AFTER 32
/* The sweep begins with so many opens, when they are one in so many names. */
#define SWEEP_OPENED 16
#define SWEEP_SHARE  4

static uint32_t name_at(const struct sibling_order *o, int64_t place)
{
    return o->name_at ? o->name_at[place] : (uint32_t)place;
}

static int64_t place_of(const struct sibling_order *o, uint32_t name)
{
    return o->place_of ? o->place_of[name] : name;
}

/* --- giving up ---------------------------------------------------------------------- */

static void give_up(struct siblings *s, uint32_t name)
{
    if (s->state[name] != SIBLING_AHEAD)
        return;
    s->state[name] = SIBLING_WRONG;
    s->ahead--;
    s->ahead_bytes -= s->cost[name];
    s->wrong++;
    s->unused++;
}

/* Steps `from` to `to` of a run, seen from its latest open. */
static void give_up_steps(struct siblings *s, const struct sibling_order *o,
                          const struct sibling_run *r, int64_t from, int64_t to)
{
    for (int64_t k = from; k <= to && r->step; k++) {
        int64_t place = r->last + k * r->step;
        if (place >= 0 && place < s->n)
            give_up(s, name_at(o, place));
    }
}

static void give_up_all(struct siblings *s)
{
    for (uint32_t i = 0; i < s->n && s->ahead > 0; i++)
        give_up(s, i);
    s->window = SIBLINGS_FIRST;
    s->since_hit = 0;
}

/* --- runs --------------------------------------------------------------------------- */

static bool acts(const struct sibling_run *r)
{
    bool next = r->step == 1 || r->step == -1;
    return r->length >= (next ? ACTS_NEXT : ACTS_STEP);
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* How many steps on (negative: back) `place` lies in this run; false where it doesn't. */
static bool steps_to(const struct sibling_run *r, int64_t place, int64_t *steps)
{
    if (r->length < 2 || (place - r->last) % r->step != 0)
        return false;
    *steps = (place - r->last) / r->step;
    return acts(r) ? distance(*steps, 0) <= REACH : *steps == 1;
}

static struct sibling_run *find(struct sibling_order *o, int64_t place)
{
    struct sibling_run *best = NULL;
    int64_t steps, best_steps = 0;
    for (int i = 0; i < SIBLINGS_RUNS; i++) {
        struct sibling_run *r = &o->runs[i];
        if (r->used && steps_to(r, place, &steps) &&
            (!best || distance(steps, 0) < distance(best_steps, 0))) {
            best = r;
            best_steps = steps;
        }
    }
    return best;
}

/* A single open that is close enough to make a run with this one. */
static struct sibling_run *find_single(struct sibling_order *o, int64_t place)
{
    struct sibling_run *best = NULL;
    for (int i = 0; i < SIBLINGS_RUNS; i++) {
        struct sibling_run *r = &o->runs[i];
        int64_t away = distance(r->last, place);
        if (r->used && r->length == 1 && away > 0 && away <= STEP_MOST &&
            (!best || away < distance(best->last, place)))
            best = r;
    }
    return best;
}

static bool was_opened(const struct siblings *s, const struct sibling_order *o, int64_t place)
{
    return place >= 0 && place < s->n && s->state[name_at(o, place)] == SIBLING_OPENED;
}

/* The direction in which the two names before were opened, however long ago and by whom: many
 * workers, each with a part of the names, are more runs than are kept. */
static int direction(const struct siblings *s, const struct sibling_order *o, int64_t place)
{
    if (was_opened(s, o, place - 1) && was_opened(s, o, place - 2))
        return 1;
    return was_opened(s, o, place + 1) && was_opened(s, o, place + 2) ? -1 : 0;
}

static struct sibling_run *begin(struct siblings *s, struct sibling_order *o, int64_t place)
{
    struct sibling_run *oldest = &o->runs[0];
    for (int i = 1; i < SIBLINGS_RUNS; i++)
        if (o->runs[i].used < oldest->used)
            oldest = &o->runs[i];
    if (oldest->used && acts(oldest))
        give_up_steps(s, o, oldest, 1, REACH);
    int step = direction(s, o, place);
    *oldest = (struct sibling_run){
        .last = place, .step = step, .length = step ? ACTS_NEXT : 1, .used = s->clock};
    return step ? oldest : NULL;
}

static void move_to(struct siblings *s, struct sibling_order *o, struct sibling_run *r,
                    int64_t place)
{
    int64_t steps = (place - r->last) / r->step;
    r->used = s->clock;
    if (steps <= 0)
        return; /* of a worker that is a little behind */
    /* What it left behind by so much isn't coming. */
    give_up_steps(s, o, r, -REACH, steps - 1 - REACH);
    r->last = place;
    r->length++;
}

/* The run that this open goes on with, if it is one to act upon. */
static struct sibling_run *follow(struct siblings *s, struct sibling_order *o, int64_t place)
{
    struct sibling_run *r = find(o, place);
    if (r) {
        move_to(s, o, r, place);
        return acts(r) ? r : NULL;
    }
    r = direction(s, o, place) ? NULL : find_single(o, place);
    if (!r)
        return begin(s, o, place);
    r->step = place - r->last;
    r->last = place;
    r->length = distance(r->step, 0) == 1 && r->used + 1 == s->clock ? ACTS_NEXT : 2;
    r->used = s->clock;
    return acts(r) ? r : NULL;
}

/* --- picking ------------------------------------------------------------------------- */

/* Runs that go on at the same time share the window: how many steps ahead each may be. */
static int64_t share(const struct siblings *s, const struct sibling_order *o)
{
    uint32_t n = 0;
    for (int i = 0; i < SIBLINGS_RUNS; i++)
        n += o->runs[i].used && acts(&o->runs[i]) && s->clock - o->runs[i].used < RECENT;
    return n * SHARE_LEAST < s->window ? s->window / (n ? n : 1) : SHARE_LEAST;
}

/* How many of its next steps, of at most so many, were picked already. */
static int64_t steps_picked(const struct siblings *s, const struct sibling_order *o,
                            const struct sibling_run *r, int64_t most)
{
    for (int64_t k = 1; k <= most; k++) {
        int64_t place = r->last + k * r->step;
        if (place < 0 || place >= s->n || s->state[name_at(o, place)] == SIBLING_UNKNOWN)
            return k - 1;
    }
    return most;
}

/* Several at once, when a quarter of what may be ahead was opened: requests that are sent together
 * cost everybody less than as many that are sent one by one. */
static uint32_t pick_run(struct siblings *s, const struct sibling_order *o,
                         const struct sibling_run *r, uint32_t *picks)
{
    uint32_t n = 0;
    int64_t most = share(s, o), picked = steps_picked(s, o, r, most);
    if (picked > most - most / PICK_SHARE)
        return 0;
    for (int64_t k = picked + 1; k <= most && n < SIBLINGS_PICKS; k++) {
        int64_t place = r->last + k * r->step;
        if (place < 0 || place >= s->n)
            break;
        uint32_t name = name_at(o, place);
        if (s->state[name] != SIBLING_UNKNOWN)
            continue;
        if (s->ahead >= s->window ||
            (s->ahead > 0 && s->ahead_bytes + s->cost[name] > SIBLINGS_BYTES))
            break;
        s->state[name] = SIBLING_AHEAD;
        s->ahead++;
        s->ahead_bytes += s->cost[name];
        picks[n++] = name;
    }
    return n;
}

static uint32_t pick_sweep(struct siblings *s, uint32_t *picks)
{
    uint32_t n = 0;
    for (; s->sweep_at < s->n && n < SIBLINGS_PICKS; s->sweep_at++) {
        uint32_t name = s->sweep_at;
        if (s->state[name] != SIBLING_UNKNOWN)
            continue;
        if (s->swept >= SIBLINGS_SWEEP || s->swept_bytes + s->cost[name] > SIBLINGS_SWEEP_BYTES)
            break;
        s->state[name] = SIBLING_SWEPT;
        s->swept++;
        s->swept_bytes += s->cost[name];
        picks[n++] = name;
    }
    return n;
}

/* Books the open. False where the name had been opened before. */
static bool book(struct siblings *s, uint32_t name)
{
    uint8_t was = s->state[name];
    s->state[name] = SIBLING_OPENED;
    if (was == SIBLING_OPENED)
        return false;
    s->opened++;
    s->since_hit++;
    if (was == SIBLING_AHEAD) {
        s->ahead--;
        s->ahead_bytes -= s->cost[name];
        s->since_hit = 0;
        if (s->window < SIBLINGS_WINDOW)
            s->window++;
    } else if (was == SIBLING_WRONG) {
        s->wrong -= s->wrong > 0; /* it was only early */
    } else if (was == SIBLING_SWEPT) {
        s->swept--;
        s->swept_bytes -= s->cost[name];
    }
    return true;
}

uint32_t siblings_opened(struct siblings *s, uint32_t name, uint32_t picks[SIBLINGS_PICKS])
{
    s->clock++;
    if (s->window == 0)
        s->window = SIBLINGS_FIRST;
    if (!book(s, name))
        return 0;
    if (s->since_hit >= GIVE_UP_AFTER)
        give_up_all(s);
    struct sibling_order *o = &s->orders[0];
    struct sibling_run *r = follow(s, o, place_of(o, name));
    if (!r && s->orders[1].place_of) {
        o = &s->orders[1];
        r = follow(s, o, place_of(o, name));
    }
    if (s->wrong > SIBLINGS_WRONG + s->opened / 2)
        return 0;
    if (r)
        return pick_run(s, o, r, picks);
    if (s->opened >= SWEEP_OPENED && s->opened >= s->n / SWEEP_SHARE)
        return pick_sweep(s, picks);
    return 0;
}

bool siblings_near_end(const struct siblings *s)
{
    for (int i = 0; i < SIBLINGS_RUNS; i++) {
        const struct sibling_run *r = &s->orders[0].runs[i];
        if (r->used && acts(r) && r->step > 0 && r->last + 4 * REACH * r->step >= s->n)
            return true;
    }
    return false;
}

static void forget_name(struct siblings *s, uint32_t name)
{
    give_up(s, name);
    if (s->state[name] != SIBLING_SWEPT)
        return;
    s->state[name] = SIBLING_WRONG;
    s->swept--;
    s->swept_bytes -= s->cost[name];
    s->unused++;
}

void siblings_shift(struct siblings *s, uint32_t n)
{
    struct sibling_order *o = &s->orders[0];
    for (uint32_t i = 0; i < n; i++)
        forget_name(s, i);
    for (int i = 0; i < SIBLINGS_RUNS; i++) {
        o->runs[i].last -= n;
        if (o->runs[i].last < 0)
            o->runs[i] = (struct sibling_run){0};
    }
    s->orders[1] = (struct sibling_order){0};
    s->sweep_at = s->sweep_at > n ? s->sweep_at - n : 0;
    s->n -= n;
}

void siblings_renew(struct siblings *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        forget_name(s, i);
    memset(s->state, SIBLING_UNKNOWN, s->n);
    s->opened = s->wrong = s->since_hit = s->sweep_at = 0;
}
