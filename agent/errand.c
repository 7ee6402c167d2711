#include "agent/errand.h"

#include "agent/far_ahead.h"
#include "agent/route.h"
#include "agent/transfer.h"
#include "common/cleanup.h"

#define TRANSFERS_AHEAD 48 /* no more prefetches while so many requests are under way */

static void on_progress(struct transfer *t)
{
    for (size_t i = 0; i < t->n_parts; i++)
        gather_wake_ready(t->parts[i].owner);
}

static bool start(struct errand *e, struct transfer_part *parts, size_t n)
{
    struct transfer how = {.agent = e->agent,
                           .version = e->version,
                           .context = e->context,
                           .job = e->job,
                           .parts = parts,
                           .n_parts = n,
                           .eager = e->eager,
                           .far = e->far,
                           .progress = on_progress,
                           .ended = e->ended};
    bool started = route_start(&how, &e->error, e->why, sizeof(e->why));
    for (size_t i = 0; i < n; i++) {
        struct gather *g = parts[i].owner;
        if (!started) {
            if (g->n_transfers == 0)
                gather_settle(g);
            continue;
        }
        g->coming |= partial_mask(g->partial, parts[i].span);
        g->n_transfers++;
        e->begun_bytes += parts[i].span.to - parts[i].span.from;
    }
    return started;
}

bool errand_fetch_pieces(struct errand *e, struct gather *g, uint64_t wanted, uint32_t first_byte)
{
    struct span behind = {first_byte, partial_len(g->partial)};
    uint64_t missing = partial_missing(g->partial, wanted) & ~g->coming;
    uint64_t rounds[] = {missing & partial_mask(g->partial, behind),
                         missing & ~partial_mask(g->partial, behind)};
    if (missing)
        gather_leave_idle(g);
    for (int i = 0; i < 2; i++) {
        while (rounds[i]) {
            struct span run = partial_run(g->partial, rounds[i]);
            struct transfer_part part = {g->partial, g->id.index, run, g};
            rounds[i] &= ~partial_mask(g->partial, run);
            if (!start(e, &part, 1))
                return false;
        }
    }
    return true;
}

struct batch {
    struct transfer_part parts[TRANSFER_BLOCKS];
    size_t n;
    uint64_t bytes;
};

static bool send_batch(struct errand *e, struct batch *b)
{
    bool fine = b->n == 0 || start(e, b->parts, b->n);
    if (fine)
        job_count(e->job, COUNTER_prefetched_blocks, b->n);
    b->n = 0;
    b->bytes = 0;
    return fine;
}

static void add_to_batch(struct errand *e, struct batch *b, uint64_t index)
{
    struct gather *g = gather_new(e->agent, e->version, index);
    uint32_t len = partial_len(g->partial);
    b->parts[b->n++] = (struct transfer_part){g->partial, index, {0, len}, g};
    b->bytes += len;
}

bool errand_finds_stored(const struct errand *e, uint64_t index)
{
    struct store *s = e->agent->store;
    if (!e->read_ahead)
        return store_has(s, e->version, index);
    CLEANUP_CLOSE int fd = store_get(s, e->version, index);
    if (fd >= 0)
        store_read_ahead(s, fd);
    return fd >= 0;
}

uint64_t errand_most_blocks(const struct errand *e)
{
    uint64_t room_bytes = store_room_ahead(e->agent->store);
    return room_bytes == UINT64_MAX ? UINT64_MAX : room_bytes / e->version->block_bytes;
}

uint64_t errand_fetch_plan(struct errand *e, const struct prefetch_plan *plan)
{
    const struct version *v = e->version;
    struct batch batch = {.n = 0};
    uint64_t most_blocks = errand_most_blocks(e);
    for (uint64_t i = plan->from / v->block_bytes; i < plan->to / v->block_bytes; i++) {
        struct gather *g = gather_find(v, i);
        bool fine = true;
        if (routes_in_flight() >= far_ahead_most(v, e->job, TRANSFERS_AHEAD) ||
            blocks_in_flight() >= most_blocks) {
            send_batch(e, &batch);
            return i * v->block_bytes;
        }
        if (g || errand_finds_stored(e, i)) {
            fine = send_batch(e, &batch);
            if (fine && g)
                fine = errand_fetch_pieces(e, g, UINT64_MAX, 0);
        } else {
            add_to_batch(e, &batch, i);
            if (batch.bytes >= plan->part_bytes || batch.n == TRANSFER_BLOCKS)
                fine = send_batch(e, &batch);
        }
        if (!fine)
            return plan->to;
    }
    send_batch(e, &batch);
    return plan->to;
}
