/* The index's thread of a node: fetch/index_run.c and fetch/index_beat.c. */
#include <string.h>

#include "sim/node.h"

#define BEAT_MS       2000
#define VIEW_FRESH_MS 1000

static int64_t now_ms(const struct node *n)
{
    return n->world->queue.now_us / 1000;
}

/* As policy/want wants the nodes counted. */
size_t index_nodes(const struct node *n)
{
    return (size_t)(n->crowd > n->n_known ? n->crowd : n->n_known);
}

/* -1: of the node's own input. */
static int segment_of(const struct node *n, uint32_t block)
{
    return block < n->world->shared_blocks ? (int)(block / SEGMENT_BLOCKS) : -1;
}

static struct redis_op *add(struct node *n, enum redis_op_kind kind)
{
    struct redis_op *op = &n->batch.ops[n->batch.n++];
    *op = (struct redis_op){.kind = kind};
    return op;
}

static bool has_room(const struct node *n)
{
    return n->batch.n + 4 + SEGMENTS_MAX <= REDIS_OPS_MAX;
}

/* --- own blocks, locks ------------------------------------------------------------- */

void index_published(struct node *n, uint32_t block)
{
    int segment = segment_of(n, block);
    if (segment >= 0) {
        n->own[segment][block % SEGMENT_BLOCKS / 64] |= 1ull << block % 64;
        n->views[segment].dirty = true;
    } else {
        n->input_dirty = true;
    }
    for (int i = 0; i < n->n_locks; i++)
        n->locks[i].release |= n->locks[i].block == block;
    index_wake(n);
}

static void add_dirty(struct node *n)
{
    for (int i = 0; i < SEGMENTS_MAX; i++) {
        if (n->views[i].dirty)
            add(n, OP_PUT)->segment = i;
        n->views[i].dirty = false;
    }
    if (n->input_dirty)
        add(n, OP_PUT)->segment = -1;
    n->input_dirty = false;
}

static void add_locks(struct node *n)
{
    int kept = 0;
    for (int i = 0; i < n->n_locks; i++) {
        struct lock l = n->locks[i];
        if (has_room(n) && (l.release || now_ms(n) >= l.renew_ms)) {
            struct redis_op *op = add(n, OP_LOCK);
            op->block = l.block;
            op->is_zone = l.is_zone;
            op->release = l.release;
            l.renew_ms = now_ms(n) + WANT_LOCK_RENEW_MS;
            if (l.release)
                continue;
        }
        n->locks[kept++] = l;
    }
    n->n_locks = kept;
}

static void note_lock(struct node *n, const struct redis_op *op, bool release)
{
    n->locks[n->n_locks++] = (struct lock){.block = op->block,
                                           .is_zone = op->is_zone,
                                           .renew_ms = now_ms(n) + WANT_LOCK_RENEW_MS,
                                           .release = release};
}

/* --- wants -------------------------------------------------------------------------- */

static size_t rank_among_readers(const struct node *n, uint32_t block)
{
    uint64_t nodes[NODES_MAX];
    size_t count = 0;
    for (int i = 0; i < n->world->scenario->nodes; i++)
        if (n->reads[i] && n->knows[i] && n->breakers[i].state == BREAKER_CLOSED)
            nodes[count++] = n->world->nodes[i].id;
    return placement_rank(n->world->content, placement_extent(block), nodes, count, n->id);
}

bool index_may_guess(const struct node *n, const struct route *r)
{
    return r->block < n->world->shared_blocks && n->views[0].viewed_ms >= 0 &&
           breaker_would_allow(&n->guessing, now_ms(n)) && rank_among_readers(n, r->block) > 0;
}

/* As index_news_ms() of fetch/index_peers.c. */
static int64_t news_ms(const struct node *n)
{
    return n->index_usable ? want_look_gap_ms(index_nodes(n)) : WANT_NO_NEWS;
}

static struct want_facts facts_for(struct node *n, const struct route *r, bool is_ready)
{
    int64_t now = now_ms(n);
    struct want_facts f = {
        .now_ms = now,
        .index_usable = n->index_usable,
        .news_ms = news_ms(n),
        .index_ready = is_ready,
        .fetch_ms = n->fetch_ms,
    };
    struct found how;
    f.has_peer = peers_find(n, r, &how) >= 0;
    f.has_peer_soon = how.soon;
    f.has_far_peer = how.far;
    if (f.has_peer)
        return f;
    f.has_guess =
        (!f.index_usable || now >= want_guess_at_ms(&r->want, f.news_ms)) && peers_guess(n, r) >= 0;
    if (!f.index_usable) {
        f.knows_readers = n->views[0].viewed_ms >= 0 && breaker_would_allow(&n->guessing, now);
        f.rank = rank_among_readers(n, r->block);
        return f;
    }
    if (!want_needs_rank(&r->want) || !is_ready || now < r->want.due_ms)
        return f;
    if (r->block >= n->world->shared_blocks) { /* nobody else reads it */
        f.knows_readers = true;
        return f;
    }
    f.knows_readers = n->views[0].viewed_ms >= 0 && now - n->views[0].viewed_ms < VIEW_FRESH_MS;
    f.rank = f.knows_readers ? rank_among_readers(n, r->block) : 0;
    return f;
}

static bool is_old(const struct node *n, const struct view *v)
{
    return now_ms(n) - v->viewed_ms >= want_look_gap_ms(index_nodes(n));
}

static void add_want(struct node *n, struct route *r, enum want_step step)
{
    int segment = segment_of(n, r->block);
    if (segment >= 0)
        n->views[segment].look_up |= step != WANT_LOOK || is_old(n, &n->views[segment]);
    else
        add(n, OP_LOOK)->segment = -1;
    if (step == WANT_READERS)
        n->views[0].look_up = true;
    if (step != WANT_CLAIM && step != WANT_CROSS)
        return;
    struct redis_op *op = add(n, OP_CLAIM);
    op->block = r->block;
    op->is_zone = step == WANT_CROSS;
}

static void answer(struct node *n, struct route *r, enum want_step step)
{
    r->is_wanting = false;
    if (step == WANT_GUESS) {
        int peer = peers_guess(n, r);
        r->is_guess = breaker_allows(&n->guessing, &want_guess_rules, now_ms(n));
        peers_ask(n, r, peer);
    } else if (step == WANT_PEER)
        route_look(n, r);
    else
        route_origin(n, r);
}

/* `is_ready`: a batch is put together. */
static void take_wants(struct node *n, bool is_ready)
{
    for (int i = 0; i < n->n_coming; i++) {
        struct route *r = n->routes[n->coming[i]];
        if (!r->is_wanting)
            continue;
        struct want_facts facts = facts_for(n, r, is_ready && has_room(n));
        enum want_step step = want_next(&r->want, &facts);
        if (step == WANT_PEER || step == WANT_GUESS || step == WANT_ORIGIN)
            answer(n, r, step);
        else if (step != WANT_LATER)
            add_want(n, r, step);
    }
}

static void add_looks(struct node *n)
{
    for (int i = 0; i < SEGMENTS_MAX; i++)
        if (n->views[i].look_up)
            add(n, OP_LOOK)->segment = i;
}

/* --- replies ------------------------------------------------------------------------- */

static void take_claim(struct node *n, const struct redis_op *op)
{
    struct route *r = n->routes[op->block];
    if (!r || !r->is_wanting)
        return;
    struct found how;
    bool has_peer = peers_find(n, r, &how) >= 0;
    enum want_step step = op->is_zone ? want_crossed(&r->want, op->is_good, has_peer)
                                      : want_claimed(op->is_good, has_peer, how.soon || how.far);
    if (op->is_good)
        note_lock(n, op, !r->want.crosses && step != WANT_YOURS);
    if (step != WANT_LATER)
        answer(n, r, step);
}

static void run_batch(struct node *n);

static void on_done(struct redis_batch *b)
{
    struct node *n = b->node;
    n->is_busy = false;
    if (n->is_dead)
        return;
    if (b->failed)
        n->index_usable = false;
    for (int i = 0; i < b->n && !b->failed; i++) {
        const struct redis_op *op = &b->ops[i];
        if (op->kind == OP_BEAT)
            n->index_usable = true, n->beat_ms = now_ms(n);
        if (op->kind == OP_LOOK && op->segment >= 0) {
            n->views[op->segment].viewed_ms = now_ms(n);
            n->views[op->segment].look_up = false;
        }
    }
    for (int i = 0; i < b->n && !b->failed; i++)
        if (b->ops[i].kind == OP_CLAIM)
            take_claim(n, &b->ops[i]);
    run_batch(n);
}

/* --- the thread ------------------------------------------------------------------------ */

static void on_wake(void *user, int64_t at_ms)
{
    struct node *n = user;
    if (n->wake_ms == at_ms)
        n->wake_ms = INT64_MAX;
    if (!n->is_dead && !n->is_busy)
        run_batch(n);
}

static void wake_at(struct node *n, int64_t at_ms)
{
    if (at_ms >= n->wake_ms)
        return;
    n->wake_ms = at_ms;
    queue_at(&n->world->queue, at_ms * 1000, on_wake, n, at_ms);
}

/* When a want is to be looked at: for a guess, or as there may be a batch. */
static int64_t want_ms(const struct node *n, const struct want *w)
{
    int64_t due = w->due_ms > n->next_batch_ms ? w->due_ms : n->next_batch_ms;
    int64_t guess = want_guess_at_ms(w, news_ms(n));
    due = due < w->until_ms ? due : w->until_ms;
    return due < guess ? due : guess;
}

static int64_t next_ms(const struct node *n, int64_t next)
{
    for (int i = 0; i < n->n_coming; i++) {
        const struct route *r = n->routes[n->coming[i]];
        int64_t due = r->is_wanting ? want_ms(n, &r->want) : INT64_MAX;
        next = due < next ? due : next;
    }
    for (int i = 0; i < n->n_locks; i++)
        if (n->locks[i].renew_ms < next)
            next = n->locks[i].renew_ms;
    return next > now_ms(n) ? next : now_ms(n) + 1;
}

void index_wake(struct node *n)
{
    if (!n->is_busy)
        wake_at(n, now_ms(n) > n->next_batch_ms ? now_ms(n) : next_ms(n, n->next_batch_ms));
}

void index_refresh(struct node *n, uint32_t block)
{
    int segment = segment_of(n, block);
    size_t readers = 0;
    for (int i = 0; i < n->world->scenario->nodes; i++)
        readers += n->reads[i] && n->knows[i];
    if (segment < 0 ||
        now_ms(n) - n->views[segment].viewed_ms < want_turn_look_gap_ms(index_nodes(n)) ||
        peers_holding(n, block) >= readers)
        return;
    n->views[segment].look_up = true;
    index_wake(n);
}

static void run_batch(struct node *n)
{
    bool is_ready = now_ms(n) >= n->next_batch_ms;
    n->batch.n = 0;
    if (!is_ready) {
        n->is_busy = true; /* what wakes it meanwhile is seen now */
        take_wants(n, false);
        n->is_busy = false;
        wake_at(n, next_ms(n, n->next_batch_ms));
        return;
    }
    if (now_ms(n) >= n->next_beat_ms) {
        add(n, OP_BEAT);
        n->next_beat_ms = now_ms(n) + (n->index_usable ? BEAT_MS : BEAT_MS / 4);
    } else {
        if (n->index_usable)
            add_dirty(n);
        add_locks(n);
        n->is_busy = true; /* what wakes it meanwhile is seen now */
        take_wants(n, true);
        n->is_busy = false;
        if (n->index_usable)
            add_looks(n);
        else
            n->batch.n = 0;
    }
    if (n->batch.n == 0) {
        wake_at(n, next_ms(n, n->next_beat_ms));
        return;
    }
    n->is_busy = true;
    n->next_batch_ms = now_ms(n) + want_batch_gap_ms(index_nodes(n));
    redis_submit(n->world, &n->batch);
}

void index_first_beat(struct node *n)
{
    n->batch.node = n;
    n->batch.done = on_done;
    n->views[0].look_up = n->views[0].dirty = true; /* it reads the object */
    run_batch(n);
}
