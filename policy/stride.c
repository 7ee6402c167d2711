#include "policy/stride.h"

#include <stddef.h>

#define DEPTH_FIRST  4
#define DEPTH_BEHIND 32 /* who follows a run so closely belongs to it */
#define WRONG_MOST   16
/* Steps that are no longer than that, or twice what is read, leave out too little to matter. */
#define DENSE_BYTES (128u << 10)
/* What a small read fetches beyond what it needs, at most. */
#define PIECES_BYTES (128u << 10)

static uint64_t distance(int64_t step)
{
    return step < 0 ? (uint64_t)-step : (uint64_t)step;
}

/* Does it only ask for the rest of what was asked for before? */
static bool is_known(const struct stride *s, const struct stride_span *read)
{
    for (uint32_t i = 0; i < STRIDE_PAST; i++)
        if (read->from >= s->past[i].from && read->to <= s->past[i].to)
            return true;
    return false;
}

/* How many reads ago one began here; UINT32_MAX: not lately. */
static uint32_t age_of(const struct stride *s, uint64_t place)
{
    for (uint32_t age = 0; age < STRIDE_PAST; age++) {
        const struct stride_span *read = &s->past[(s->at - 1 - age) % STRIDE_PAST];
        if (read->to > 0 && read->from == place)
            return age;
    }
    return UINT32_MAX;
}

/* Did three such steps lead here, the last of them from a read of this age? */
static bool led_here(const struct stride *s, uint64_t from, int64_t step, uint32_t age)
{
    uint32_t before = age_of(s, from - 2 * (uint64_t)step);
    uint32_t first = age_of(s, from - 3 * (uint64_t)step);
    return before > age && first > before && first != UINT32_MAX;
}

/* The shortest step that did; 0: there is none. */
static int64_t find_step(const struct stride *s, uint64_t from)
{
    int64_t found = 0;
    for (uint32_t age = 0; age < STRIDE_PAST; age++) {
        const struct stride_span *read = &s->past[(s->at - 1 - age) % STRIDE_PAST];
        int64_t step = (int64_t)(from - read->from);
        if (read->to == 0 || step == 0 || (found != 0 && distance(step) >= distance(found)))
            continue;
        if (led_here(s, from, step, age))
            found = step;
    }
    return found;
}

static uint64_t place_of(const struct stride_run *run, const struct stride_read *r)
{
    return run->blocks ? r->span.from - r->span.from % r->block_bytes : r->span.from;
}

/* The run that this read belongs to, and how many steps it went on. */
static struct stride_run *find_run(struct stride *s, const struct stride_read *r, int64_t *steps)
{
    for (uint32_t i = 0; i < STRIDE_RUNS; i++) {
        struct stride_run *run = &s->runs[i];
        if (run->step == 0)
            continue;
        int64_t way = (int64_t)(place_of(run, r) - run->at);
        *steps = way / run->step;
        if (way % run->step == 0 && *steps >= -DEPTH_BEHIND && *steps <= (int64_t)run->ahead + 1)
            return run;
    }
    return NULL;
}

static struct stride_run *new_run(struct stride *s, const struct stride_read *r, int64_t step)
{
    struct stride_run *run = &s->runs[0];
    for (uint32_t i = 1; i < STRIDE_RUNS; i++)
        if (s->runs[i].used < run->used)
            run = &s->runs[i];
    s->wrong += run->ahead;
    uint64_t need = r->span.to - r->span.from;
    bool blocks = distance(step) <= DENSE_BYTES || distance(step) <= 2 * need;
    *run = (struct stride_run){.step = step, .depth = DEPTH_FIRST, .need = need, .blocks = blocks};
    if (blocks)
        run->step = step < 0 ? -(int64_t)r->block_bytes : (int64_t)r->block_bytes;
    run->at = place_of(run, r);
    return run;
}

/* The bytes that one step brings. */
static uint64_t step_cost(const struct stride_run *run, const struct stride_read *r)
{
    if (run->blocks)
        return r->block_bytes;
    return run->need + (run->need < r->block_bytes / 4 ? PIECES_BYTES : r->block_bytes);
}

/* What is not ahead of the run yet, and lies within the object. */
static struct stride_plan plan_ahead(struct stride_run *run, const struct stride_read *r)
{
    uint64_t most = r->most_bytes / step_cost(run, r);
    uint64_t way = run->step < 0 ? run->at : r->size_bytes - 1 - run->at;
    uint64_t left = way / distance(run->step);
    uint64_t depth = run->depth < most ? run->depth : most;
    struct stride_plan plan = {.step = run->step};
    if (depth > left)
        depth = left;
    if (depth <= run->ahead)
        return plan;
    plan.first = run->at + (uint64_t)(((int64_t)run->ahead + 1) * run->step);
    plan.len = run->blocks ? r->block_bytes : run->need;
    plan.count = (uint32_t)depth - run->ahead;
    run->ahead = (uint32_t)depth;
    return plan;
}

static void go_on(struct stride *s, struct stride_run *run, const struct stride_read *r,
                  int64_t steps)
{
    uint32_t done = (uint32_t)steps < run->ahead ? (uint32_t)steps : run->ahead;
    run->at = place_of(run, r);
    run->ahead -= done;
    s->right += done;
    if (r->span.to - r->span.from < run->need)
        run->need = r->span.to - r->span.from;
    if (steps == 1 && run->depth < STRIDE_DEEPEST)
        run->depth++;
}

struct stride_plan stride_next(struct stride *s, const struct stride_read *r)
{
    static const struct stride_plan none = {0};
    int64_t steps = 0;
    if (r->span.from >= r->size_bytes)
        return none;
    struct stride_run *run = find_run(s, r, &steps);
    bool known = is_known(s, &r->span);
    int64_t step =
        run || known || s->wrong > WRONG_MOST + s->right / 2 ? 0 : find_step(s, r->span.from);
    if (!known) {
        s->past[s->at] = r->span;
        s->at = (s->at + 1) % STRIDE_PAST;
    }
    if (run && steps > 0)
        go_on(s, run, r, steps);
    else if (step != 0)
        run = new_run(s, r, step);
    if (!run)
        return none;
    run->used = ++s->clock;
    return plan_ahead(run, r);
}
