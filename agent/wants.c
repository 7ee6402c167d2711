#include "agent/wants.h"

#include <string.h>
#include <utlist.h>

#include "agent/alloc.h"
#include "agent/blocks.h"
#include "agent/route.h"
#include "agent/transfer.h"
#include "common/clock.h"
#include "policy/allowance.h"
#include "policy/prefetch.h"

/* Nothing is begun for hints while so many requests are under way, for whomever. */
#define TRANSFERS_MOST 12
/* Stored blocks are looked for, which takes time; then others have their turn. */
#define LOOKS_AT_ONCE 256
/* Stored blocks of the beginning of a hint are brought into the page cache. */
#define WARM_MOST_BYTES (256u << 20)

struct want {
    struct want *prev, *next;
    struct agent *agent;
    struct version version;
    struct context *context;
    struct job *job;
    struct want_range left;
    uint64_t warm_to; /* stored blocks below this byte are read ahead */
    uint64_t part_bytes;
};

static struct want *wants;
static size_t n_wants;
static struct allowance allowance;
static bool posted;

static void go_on_later(struct loop_task *task);
static struct loop_task task = {.run = go_on_later};

static void end(struct want *w)
{
    DL_DELETE(wants, w);
    n_wants--;
    context_unref(w->context);
    job_unref(w->job);
    free(w);
}

static bool is_same(const struct version *a, const struct version *b)
{
    return memcmp(&a->id, &b->id, sizeof(a->id)) == 0;
}

/* --- fetching ----------------------------------------------------------------------------- */

/* Fetches the next part of one, which may be its last: then it is gone. How many blocks were looked
 * for. */
static uint64_t step(struct want *w)
{
    uint64_t part_to = w->left.from + w->part_bytes, block_bytes = w->version.block_bytes;
    struct blocks_order order = {.agent = w->agent,
                                 .version = &w->version,
                                 .context = w->context,
                                 .job = w->job,
                                 .from = w->left.from,
                                 .to = part_to < w->left.to ? part_to : w->left.to,
                                 .part_bytes = w->part_bytes,
                                 .read_ahead = w->left.from < w->warm_to};
    struct blocks_begun begun = blocks_want(&order);
    if (begun.next > w->left.to) /* whole blocks were fetched; the hint is paid for up to its end */
        begun.next = w->left.to;
    uint64_t done = begun.next - w->left.from;
    if (begun.bytes < done) /* the rest was here */
        allowance_return(&allowance, done - begun.bytes);
    w->left.from = begun.next;
    if (begun.failed || w->left.from >= w->left.to) {
        allowance_return(&allowance, w->left.to - w->left.from);
        end(w);
    } else {
        DL_DELETE(wants, w);
        DL_APPEND(wants, w);
    }
    return done / block_bytes + 1;
}

static void go_on(void)
{
    uint64_t looks = 0;
    while (wants && routes_in_flight() < TRANSFERS_MOST && looks < LOOKS_AT_ONCE)
        looks += step(wants);
    if (looks < LOOKS_AT_ONCE || !wants || posted)
        return;
    posted = true;
    loop_post(wants->agent->loop, &task);
}

static void go_on_later(struct loop_task *unused)
{
    (void)unused;
    posted = false;
    go_on();
}

void wants_go_on(const struct version *v, const struct context *context, int error)
{
    struct want *w, *next;
    DL_FOREACH_SAFE(wants, w, next)
    {
        if (!error || w->context != context || !is_same(&w->version, v))
            continue;
        allowance_return(&allowance, w->left.to - w->left.from);
        end(w);
    }
    go_on();
}

/* --- hints -------------------------------------------------------------------------------- */

/* What another hint asked for already is left to it. */
static void leave_to_others(const struct version *v, const struct context *context,
                            struct want_range *range)
{
    struct want *w;
    DL_FOREACH(wants, w)
    {
        if (w->context != context || !is_same(&w->version, v))
            continue;
        if (range->from >= w->left.from && range->from < w->left.to)
            range->from = w->left.to;
        if (range->to > w->left.from && range->to <= w->left.to)
            range->to = w->left.from;
    }
}

void wants_add(struct agent *a, const struct version *v, struct want_range range,
               struct context *context, struct job *job)
{
    struct store_numbers store;
    if (range.to > v->size_bytes)
        range.to = v->size_bytes;
    leave_to_others(v, context, &range);
    if (range.from >= range.to || n_wants == WANTS_MAX)
        return;
    store_numbers(a->store, &store);
    uint64_t granted_bytes =
        allowance_take(&allowance, range.to - range.from, store.limit_bytes, clock_monotonic_ms());
    if (granted_bytes == 0)
        return;
    range.to = range.from + granted_bytes;
    uint64_t window = transfer_window_bytes();
    struct want *w = must_calloc(1, sizeof(*w));
    w->agent = a;
    w->version = *v;
    w->context = context_ref(context);
    w->job = job;
    job_ref(job);
    w->left = range;
    w->warm_to = range.from + WARM_MOST_BYTES;
    w->part_bytes =
        prefetch_part_bytes(granted_bytes < window ? granted_bytes : window, v->block_bytes);
    DL_APPEND(wants, w);
    n_wants++;
    go_on();
}

/* One that lies on both sides of a hole keeps what is before it. */
void wants_drop(const struct version *v, struct want_range range, const struct job *job)
{
    struct want *w, *next;
    DL_FOREACH_SAFE(wants, w, next)
    {
        struct want_range *left = &w->left;
        uint64_t before = left->to - left->from;
        if (w->job != job || !is_same(&w->version, v) || range.from >= left->to ||
            range.to <= left->from)
            continue;
        if (range.from > left->from)
            left->to = range.from;
        else
            left->from = range.to < left->to ? range.to : left->to;
        allowance_return(&allowance, before - (left->to - left->from));
        if (left->from == left->to)
            end(w);
    }
}
