#include "sim/node.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES    (128u << 20) /* STREAM_WINDOW_BYTES */
#define TRANSFERS_AHEAD 48           /* of agent/errand.c */
#define TURNS_LOOKED_AT 8            /* of agent/elsewhere.c */

static const char *const zones[] = {"a", "b"};

void node_init(struct node *n, struct world *w, int index)
{
    n->world = w;
    n->index = index;
    n->id = world_random(w);
    n->zone = zones[is_in_slow_zone(w, index)];
    n->views = calloc(SEGMENTS_MAX, sizeof(*n->views));
    if (!n->views)
        abort();
    for (int i = 0; i < SEGMENTS_MAX; i++)
        n->views[i].viewed_ms = -1;
    n->wake_ms = INT64_MAX;
}

void node_free(struct node *n)
{
    for (uint32_t b = 0; b < n->world->blocks; b++)
        free(n->routes[b]);
    free(n->views);
}

/* --- routes: agent/elsewhere.c ------------------------------------------------------- */

/* A peer that is known, else the index. */
void route_look(struct node *n, struct route *r)
{
    struct found how;
    bool is_over = want_is_over(&r->want, n->world->queue.now_us / 1000);
    int peer = is_over ? -1 : peers_find(n, r, &how);
    if (peer >= 0 && how.turn) {
        r->awaits_turn = true;
        r->rounds -= r->rounds > 0;
        index_refresh(n, r->block);
    } else if (peer >= 0) {
        peers_ask(n, r, peer);
    } else if (!is_over && (n->index_usable || index_may_guess(n, r)) &&
               r->rounds < WANT_ROUNDS_MAX) {
        if (!r->is_guess) {
            want_begin(&r->want, n->world->queue.now_us / 1000);
            r->rounds++;
        }
        r->is_guess = false;
        r->is_wanting = true;
        index_wake(n);
    } else {
        route_origin(n, r);
    }
}

/* As next_turn() of agent/elsewhere.c: in the order in which they began. */
void routes_next_turns(struct node *n)
{
    int passed = 0;
    for (int i = 0; i < n->n_coming && passed < TURNS_LOOKED_AT; i++) {
        struct route *r = n->routes[n->coming[i]];
        if (!r->awaits_turn)
            continue;
        r->awaits_turn = false;
        route_look(n, r);
        passed += r->awaits_turn;
    }
}

static void on_origin(void *user, int64_t block)
{
    struct node *n = user;
    if (n->is_dead)
        return;
    struct route *r = n->routes[block];
    n->fetch_ms = want_fetch_ms(n->fetch_ms, n->world->queue.now_us / 1000 - r->fetched_ms);
    route_here(n, r);
}

static void first_byte(void *user, int64_t block)
{
    struct node *n = user;
    const struct scenario *s = n->world->scenario;
    struct flow f = {
        .links = {link_s3(n->world), link_down(n->index),
                  is_in_slow_zone(n->world, n->index) ? link_zone_in(n->world) : NO_LINK},
        .left_bytes = n->world->block_bytes,
        .most = s->s3_flow_rate,
        .done = on_origin,
        .user = n,
        .number = block};
    if (!n->is_dead)
        network_start(&n->world->network, &f);
}

void route_origin(struct node *n, struct route *r)
{
    struct world *w = n->world;
    double latency_s = w->scenario->s3_latency_s * (0.7 + 0.6 * world_fraction(w));
    w->totals.s3_gets++;
    r->fetched_ms = w->queue.now_us / 1000;
    queue_at(&w->queue, w->queue.now_us + (int64_t)(latency_s * 1e6), first_byte, n, r->block);
}

static void route_start(struct node *n, uint32_t block, bool eager, bool is_far)
{
    struct route *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->block = block;
    r->peer = -1;
    r->want.is_demanded = eager;
    r->is_far = is_far;
    r->want.wait_ms = WANT_WAIT_MOST_MS;
    want_start(&r->want, n->world->queue.now_us / 1000);
    n->state[block] = BLOCK_COMING;
    n->routes[block] = r;
    n->coming[n->n_coming++] = block;
    route_look(n, r);
}

/* --- the job and its read-ahead: agent/blocks.c --------------------------------------- */

static void job_goes_on(struct node *n);

/* Other nodes that read the model, as far as this one knows. */
static size_t readers_of(const struct node *n, uint64_t out[NODES_MAX])
{
    size_t count = 0;
    for (int i = 0; i < n->world->scenario->nodes; i++)
        if (n->reads[i] && n->knows[i])
            out[count++] = n->world->nodes[i].id;
    return count;
}

/* agent/far_ahead.c */
static void fetch_far(struct node *n)
{
    uint64_t readers[NODES_MAX], block;
    if (!far_is_due(&n->far))
        return;
    size_t count = readers_of(n, readers);
    if (count == 0)
        return;
    if (far_needs_plan(&n->far, count))
        far_plan(&n->far, n->world->content, n->world->shared_blocks, readers, count, n->id);
    while (far_next(&n->far, (size_t)n->n_far, &block)) {
        if (n->state[block] != BLOCK_AWAY || peers_holding(n, (uint32_t)block) >= count)
            continue;
        n->n_far++;
        route_start(n, (uint32_t)block, false, true);
    }
}

void route_here(struct node *n, struct route *r)
{
    uint32_t block = r->block;
    int i = 0;
    while (n->coming[i] != block)
        i++;
    memmove(&n->coming[i], &n->coming[i + 1], (size_t)(--n->n_coming - i) * sizeof(n->coming[0]));
    n->routes[block] = NULL;
    n->n_far -= r->is_far;
    free(r);
    n->state[block] = BLOCK_HERE;
    n->here++;
    index_published(n, block);
    job_goes_on(n);
}

static void fetch_plan(struct node *n, const struct prefetch_plan *plan)
{
    uint64_t block_bytes = (uint64_t)n->world->block_bytes;
    for (uint64_t b = plan->from / block_bytes; b < plan->to / block_bytes; b++) {
        int most = far_is_active(&n->far) ? FAR_NEAR_AT_ONCE : TRANSFERS_AHEAD;
        if (n->n_coming - n->n_far >= most) {
            prefetch_stopped_at(&n->stream, b * block_bytes);
            return;
        }
        if (n->state[b] == BLOCK_AWAY)
            route_start(n, (uint32_t)b, false, false);
    }
}

static void read_block(struct node *n)
{
    uint64_t block_bytes = (uint64_t)n->world->block_bytes;
    struct prefetch_read read = {.from = n->at * block_bytes,
                                 .to = (n->at + 1) * block_bytes,
                                 .need = block_bytes,
                                 .size_bytes = n->world->blocks * block_bytes,
                                 .block_bytes = block_bytes,
                                 .most_bytes = WINDOW_BYTES,
                                 .lost = n->state[n->at] == BLOCK_AWAY};
    far_read(&n->far, n->at);
    struct prefetch_plan plan = prefetch_next(&n->stream, &read);
    if (n->state[n->at] == BLOCK_AWAY)
        route_start(n, n->at, true, false);
    fetch_plan(n, &plan);
}

static void job_goes_on(struct node *n)
{
    struct world *w = n->world;
    while (n->at < w->blocks) {
        read_block(n);
        if (n->state[n->at] != BLOCK_HERE) {
            struct route *r = n->routes[n->at];
            want_hurry(&r->want, w->queue.now_us / 1000);
            if (r->is_wanting)
                index_wake(n);
            bool awaits_turn = r->awaits_turn;
            r->awaits_turn = false;
            if (awaits_turn)
                route_look(n, r);
            fetch_far(n);
            return;
        }
        n->at++;
    }
    if (n->done_us)
        return;
    n->done_us = w->queue.now_us;
    w->totals.loaded++;
    w->all_loaded_us = n->done_us;
}

static void job_starts(void *user, int64_t number)
{
    struct node *n = user;
    (void)number;
    if (!n->is_dead)
        job_goes_on(n);
}

void node_start(void *user, int64_t number)
{
    struct node *n = user;
    (void)number;
    n->is_started = n->index_usable = true;
    n->start_us = n->world->queue.now_us;
    index_first_beat(n);
    /* The open asks S3 with HEAD first. */
    queue_at(&n->world->queue, n->start_us + (int64_t)(n->world->scenario->s3_latency_s * 1e6),
             job_starts, n, 0);
}

void node_die(void *user, int64_t number)
{
    struct node *n = user;
    (void)number;
    if (n->done_us)
        n->world->totals.loaded--;
    n->is_dead = true;
    n->world->totals.dead++;
    network_cut(&n->world->network, link_up(n->index));
    network_cut(&n->world->network, link_down(n->index));
    peers_died(n);
}
