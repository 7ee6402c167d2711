#include "agent/hints.h"

#include <string.h>
#include <utlist.h>

#include "agent/blocks.h"
#include "agent/route.h"
#include "agent/transfer.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "policy/allowance.h"
#include "policy/prefetch.h"

/* Nothing is begun for hints while so many requests are under way, for whomever. */
#define TRANSFERS_MOST 12
/* Stored blocks are looked for, which takes time; then others have their turn. */
#define LOOKS_AT_ONCE 256
/* Stored blocks of the beginning of a hint are brought into the page cache. */
#define WARM_MOST_BYTES (256u << 20)

struct hint {
    struct hint *prev, *next;
    struct agent *agent;
    struct version version;
    struct context *context;
    struct job *job;
    struct hint_range left;
    uint64_t warm_to; /* stored blocks below this byte are read ahead */
    uint64_t part_bytes;
};

static struct hint *hints;
static size_t n_hints;
static struct allowance allowance;
static bool posted;

static void go_on_later(struct loop_task *task);
static struct loop_task task = {.run = go_on_later};

static void end(struct hint *h)
{
    DL_DELETE(hints, h);
    n_hints--;
    context_unref(h->context);
    job_unref(h->job);
    free(h);
}

static bool is_same(const struct version *a, const struct version *b)
{
    return memcmp(&a->id, &b->id, sizeof(a->id)) == 0;
}

/* --- fetching ----------------------------------------------------------------------------- */

/* Fetches the next part of one, which may be its last: then it is gone. How many blocks were looked
 * for. */
static uint64_t step(struct hint *h)
{
    uint64_t part_to = h->left.from + h->part_bytes, block_bytes = h->version.block_bytes;
    struct blocks_order order = {.agent = h->agent,
                                 .version = &h->version,
                                 .context = h->context,
                                 .job = h->job,
                                 .from = h->left.from,
                                 .to = part_to < h->left.to ? part_to : h->left.to,
                                 .part_bytes = h->part_bytes,
                                 .read_ahead = h->left.from < h->warm_to};
    struct blocks_begun begun = blocks_want(&order);
    if (begun.next > h->left.to) /* whole blocks were fetched; the hint is paid for up to its end */
        begun.next = h->left.to;
    uint64_t done = begun.next - h->left.from;
    if (begun.bytes < done) /* the rest was here */
        allowance_return(&allowance, done - begun.bytes);
    h->left.from = begun.next;
    if (begun.failed || h->left.from >= h->left.to) {
        allowance_return(&allowance, h->left.to - h->left.from);
        end(h);
    } else {
        DL_DELETE(hints, h);
        DL_APPEND(hints, h);
    }
    return done / block_bytes + 1;
}

static void go_on(void)
{
    uint64_t looks = 0;
    while (hints && routes_in_flight() < TRANSFERS_MOST && looks < LOOKS_AT_ONCE)
        looks += step(hints);
    if (looks < LOOKS_AT_ONCE || !hints || posted)
        return;
    posted = true;
    loop_post(hints->agent->loop, &task);
}

static void go_on_later(struct loop_task *unused)
{
    (void)unused;
    posted = false;
    go_on();
}

void hints_go_on(const struct version *v, const struct context *context, int error)
{
    struct hint *h, *next;
    DL_FOREACH_SAFE(hints, h, next)
    {
        if (!error || h->context != context || !is_same(&h->version, v))
            continue;
        allowance_return(&allowance, h->left.to - h->left.from);
        end(h);
    }
    go_on();
}

/* --- hints -------------------------------------------------------------------------------- */

/* What another hint asked for already is left to it. */
static void leave_to_others(const struct version *v, const struct context *context,
                            struct hint_range *range)
{
    struct hint *h;
    DL_FOREACH(hints, h)
    {
        if (h->context != context || !is_same(&h->version, v))
            continue;
        if (range->from >= h->left.from && range->from < h->left.to)
            range->from = h->left.to;
        if (range->to > h->left.from && range->to <= h->left.to)
            range->to = h->left.from;
    }
}

void hints_add(struct agent *a, const struct version *v, struct hint_range range,
               struct context *context, struct job *job)
{
    struct store_numbers store;
    if (range.to > v->size_bytes)
        range.to = v->size_bytes;
    leave_to_others(v, context, &range);
    if (range.from >= range.to || n_hints == HINTS_MAX)
        return;
    store_numbers(a->store, &store);
    uint64_t granted_bytes =
        allowance_take(&allowance, range.to - range.from, store.limit_bytes, clock_monotonic_ms());
    if (granted_bytes == 0)
        return;
    range.to = range.from + granted_bytes;
    uint64_t window = transfer_window_bytes();
    struct hint *h = must_calloc(1, sizeof(*h));
    h->agent = a;
    h->version = *v;
    h->context = context_ref(context);
    h->job = job;
    job_ref(job);
    h->left = range;
    h->warm_to = range.from + WARM_MOST_BYTES;
    h->part_bytes =
        prefetch_part_bytes(granted_bytes < window ? granted_bytes : window, v->block_bytes);
    DL_APPEND(hints, h);
    n_hints++;
    go_on();
}

/* One that lies on both sides of a hole keeps what is before it. */
void hints_drop(const struct version *v, struct hint_range range, const struct job *job)
{
    struct hint *h, *next;
    DL_FOREACH_SAFE(hints, h, next)
    {
        struct hint_range *left = &h->left;
        uint64_t before = left->to - left->from;
        if (h->job != job || !is_same(&h->version, v) || range.from >= left->to ||
            range.to <= left->from)
            continue;
        if (range.from > left->from)
            left->to = range.from;
        else
            left->from = range.to < left->to ? range.to : left->to;
        allowance_return(&allowance, before - (left->to - left->from));
        if (left->from == left->to)
            end(h);
    }
}
