#include "agent/blocks.h"

#include <errno.h>
#include <utlist.h>

#include "agent/cluster.h"
#include "agent/errand.h"
#include "agent/far_ahead.h"
#include "agent/gather.h"
#include "agent/hints.h"
#include "agent/layouts.h"
#include "agent/meta.h"
#include "agent/route.h"
#include "agent/shards.h"
#include "agent/stride_ahead.h"
#include "agent/streams.h"
#include "agent/transfer.h"
#include "common/cleanup.h"
#include "common/log.h"

/* A block of that many bytes isn't worth fetching in pieces. */
#define SMALL_BLOCK (512u << 10)
/* A random reader that comes to a block for the n-th time gets all of it. */
#define TOUCHES_WHOLE 8

/* Those for whom nothing is under way any more. */
static void wake_failed(struct gather *g, const struct transfer *t)
{
    struct block_result r = {.error = t->error ? t->error : -EIO, .why = t->why, .fd = -1};
    struct block_waiter *w, *next;
    DL_FOREACH_SAFE(g->waiters, w, next)
    {
        uint64_t need = partial_mask(g->partial, w->need);
        if (!(need & ~partial_have(g->partial) & ~g->coming) && g->n_transfers > 1)
            continue;
        DL_DELETE(g->waiters, w);
        w->gather = NULL;
        /* One job's credentials say nothing of another's. */
        if (r.error == -EACCES && w->context != t->context)
            blocks_fetch(t->agent, t->version, g->id.index, w);
        else
            w->wake(w, &r);
    }
}

static void on_ended(struct transfer *t)
{
    bool waited_for = false;
    for (size_t i = 0; i < t->n_parts; i++) {
        struct gather *g = t->parts[i].owner;
        g->coming &= ~partial_mask(g->partial, t->parts[i].span);
        waited_for |= g->waiters != NULL;
        gather_wake_ready(g);
        wake_failed(g, t);
        g->n_transfers--; /* now: what is begun for another waiter, and fails, must not free it */
        struct far_run *far = g->n_transfers == 0 ? take_ptr(g->far) : NULL;
        if (g->n_transfers == 0)
            gather_settle(g);
        if (far)
            far_ahead_ended(far, t->error == 0);
    }
    if (t->error == -ESTALE)
        meta_drop(context_serial(t->context), t->version->bucket, t->version->key);
    if (t->error && !waited_for)
        log_info("fetch", "ahead: %s", t->why);
    hints_go_on(t->version, t->context, t->error);
}

static struct errand make_errand(struct agent *a, const struct version *v, struct context *context,
                                 struct job *job)
{
    return (struct errand){
        .agent = a, .version = v, .context = context, .job = job, .ended = on_ended};
}

/* --- what callers ask for ------------------------------------------------------------- */

static void read_ahead(const struct errand *e, const struct prefetch_plan *plan)
{
    const struct version *v = e->version;
    for (uint64_t i = plan->warm_from / v->block_bytes; i < plan->warm_to / v->block_bytes; i++)
        if (!gather_find(v, i))
            store_read_block_ahead(e->agent->store, v, i);
}

static void fetch_ahead(struct errand *e, struct prefetch_stream *s,
                        const struct prefetch_plan *plan)
{
    uint64_t at = errand_fetch_plan(e, plan);
    read_ahead(e, plan);
    stride_ahead(e->agent, e->version, e->context, e->job, &plan->stride);
    if (at < plan->to)
        prefetch_stopped_at(s, at);
    if (plan->ends)
        shards_run_ends(e->agent, e->version, e->context, e->job);
    if (plan->sweep)
        hints_add(e->agent, e->version, (struct hint_range){0, e->version->size_bytes}, e->context,
                  e->job);
}

static struct prefetch_plan plan_for(const struct errand *e, struct prefetch_stream *s,
                                     struct prefetch_read *read)
{
    read->size_bytes = e->version->size_bytes;
    read->block_bytes = e->version->block_bytes;
    read->most_bytes = transfer_window_bytes();
    if (read->to > read->size_bytes)
        read->to = read->size_bytes;
    if (read->advice == PREFETCH_NORMAL) {
        struct layout_part part = layouts_part(e->agent, e->version, read->at);
        read->part_from = part.from;
        read->part_to = part.to;
    }
    return prefetch_next(s, read);
}

/* Is so much of a block wanted, or the block so short, that all of it is fetched? */
static bool is_worth_all(uint32_t len, struct span need)
{
    return len <= SMALL_BLOCK || need.to - need.from >= len / 4;
}

/* The pieces to fetch for a reader that needs some. */
static uint64_t wanted_pieces(struct gather *g, struct span need, bool all)
{
    uint32_t len = partial_len(g->partial);
    bool whole = all || is_worth_all(len, need) || ++g->touches >= TOUCHES_WHOLE;
    return partial_mask(g->partial, whole ? (struct span){0, len} : need);
}

void blocks_fetch(struct agent *a, const struct version *v, uint64_t index, struct block_waiter *w)
{
    struct errand e = make_errand(a, v, w->context, w->job);
    struct gather *g = gather_find(v, index);
    struct prefetch_stream *s = stream_get(&v->id, w->job);
    uint64_t start_byte = index * v->block_bytes;
    struct prefetch_read read = {.from = start_byte + w->need.from,
                                 .to = start_byte + w->need.to,
                                 .need = w->need.to - w->need.from,
                                 .lost = !g,
                                 .at = start_byte + w->at,
                                 .advice = w->advice};
    struct prefetch_plan plan = plan_for(&e, s, &read);
    bool whole = plan.sequential || cluster_may_hold(a, v, index);
    w->gather = NULL;
    e.eager = true;
    if (!g)
        g = gather_new(a, v, index);
    if (!errand_fetch_pieces(&e, g, wanted_pieces(g, w->need, whole), w->need.from)) {
        struct block_result r = {.error = e.error, .why = e.why, .fd = -1};
        w->wake(w, &r);
        return;
    }
    if (gather_is_ready(g, w)) {
        gather_wake(g, w);
    } else {
        w->gather = g;
        DL_APPEND(g->waiters, w);
        partial_await(g->partial);
        route_hurry(g->partial);
    }
    e.eager = false;
    fetch_ahead(&e, s, &plan);
    if (plan.sequential)
        far_ahead_read(a, v, index, e.context, e.job);
}

void blocks_cancel(struct block_waiter *w)
{
    if (!w->gather)
        return;
    DL_DELETE(w->gather->waiters, w);
    w->gather = NULL;
}

void blocks_ahead(struct agent *a, const struct version *v, uint64_t first, uint64_t count,
                  const struct block_waiter *w)
{
    struct errand e = make_errand(a, v, w->context, w->job);
    struct prefetch_stream *s = stream_get(&v->id, w->job);
    struct prefetch_read read = {.from = first * v->block_bytes + w->need.from,
                                 .to = (first + count) * v->block_bytes,
                                 .at = first * v->block_bytes + w->at,
                                 .advice = w->advice};
    if (first == 1 && w->need.from == 0 && w->at == 0)
        read.from = 0; /* who begins with the second block has got the first with the open */
    read.need = read.to - read.from;
    struct prefetch_plan plan = plan_for(&e, s, &read);
    fetch_ahead(&e, s, &plan);
    if (plan.sequential)
        far_ahead_read(a, v, first + count - 1, w->context, w->job);
}

void blocks_given(const struct version *v, uint64_t first, uint64_t count,
                  const struct block_waiter *w)
{
    uint64_t start_byte = first * v->block_bytes, to = start_byte + count * v->block_bytes;
    if (w->advice != PREFETCH_RANDOM)
        prefetch_gave(stream_get(&v->id, w->job), start_byte + w->need.from,
                      to < v->size_bytes ? to : v->size_bytes);
}

bool blocks_fetch_far(struct agent *a, const struct version *v, uint64_t index,
                      struct context *context, struct job *job, struct far_run *far)
{
    struct errand e = make_errand(a, v, context, job);
    if (gather_find(v, index) || store_has(a->store, v, index) ||
        store_room_ahead(a->store) != UINT64_MAX)
        return false;
    struct gather *g = gather_new(a, v, index);
    e.far = true;
    if (!errand_fetch_pieces(&e, g, UINT64_MAX, 0))
        return false;
    g->far = far;
    job_count(job, COUNTER_prefetched_blocks, 1);
    return true;
}

static void want_pieces(struct errand *e, uint64_t index, struct span need)
{
    struct gather *g = gather_find(e->version, index);
    if (!g && errand_finds_stored(e, index))
        return;
    if (!g)
        g = gather_new(e->agent, e->version, index);
    errand_fetch_pieces(e, g, partial_mask(g->partial, need), need.from);
}

struct blocks_begun blocks_want(const struct blocks_order *o)
{
    const struct version *v = o->version;
    struct errand e = make_errand(o->agent, v, o->context, o->job);
    struct blocks_begun begun = {.next = o->to};
    bool has_room = true;
    e.read_ahead = o->read_ahead;
    uint64_t first = o->from / v->block_bytes, start_byte = first * v->block_bytes;
    uint64_t len = version_block_len(v, first);
    struct span need = {(uint32_t)(o->from - start_byte),
                        (uint32_t)(o->to - start_byte < len ? o->to - start_byte : len)};
    if (!is_worth_all((uint32_t)len, need) && !cluster_may_hold(o->agent, v, first)) {
        want_pieces(&e, first, need);
        begun.next = start_byte + need.to;
    } else {
        /* An end inside a block comes by itself, as it may be small. */
        uint64_t end = o->to == v->size_bytes ? version_blocks(v) : o->to / v->block_bytes;
        struct prefetch_plan plan = {.from = start_byte,
                                     .to = (end > first ? end : first + 1) * v->block_bytes,
                                     .part_bytes = o->part_bytes};
        uint64_t at = errand_fetch_plan(&e, &plan);
        begun.next = at > o->from ? at : o->from;
        has_room = at >= plan.to || blocks_in_flight() < errand_most_blocks(&e);
    }
    begun.bytes = e.begun_bytes;
    begun.failed = e.error != 0 || !has_room;
    return begun;
}

struct partial *blocks_seed(struct agent *a, const struct version *v, uint64_t index,
                            const void *data, uint32_t len)
{
    if (store_has(a->store, v, index))
        return NULL;
    struct partial *seed = partial_new(a->store, v, index, a->piece_bytes);
    if (partial_write(seed, 0, data, len, NULL) == 0)
        return seed;
    partial_free(seed);
    return NULL;
}

void blocks_plant(struct agent *a, const struct version *v, uint64_t index, struct partial *seed,
                  struct context *context, struct job *job)
{
    struct errand e = make_errand(a, v, context, job);
    if (gather_find(v, index)) {
        partial_free(seed);
        return;
    }
    struct gather *g = gather_of(a, v, index, seed);
    gather_wake_ready(g); /* it may be complete */
    gather_settle(g);
    g = gather_find(v, index);
    if (g && version_blocks(v) == 1)
        errand_fetch_pieces(&e, g, UINT64_MAX, 0);
}
