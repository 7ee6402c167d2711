#include "sim/redis.h"

#include <stdlib.h>
#include <string.h>

#include "sim/node.h"

#define ROUND_TRIP_US 200
#define TIMEOUT_US    250000 /* INDEX_TIMEOUT_MS */

/* CPU time of redis-server 7.0 for what an agent sends over TCP, in microseconds: medians of three
 * runs of sim/redis_costs (docs/simulator.md). */
#define COST_BATCH 11.5
#define COST_PUT   1.4
#define COST_CLAIM 1.2
#define COST_LOCK  2.8
#define COST_LOOK  1.0
#define COST_FIELD 0.17 /* of a hash that is read whole: 0.12 in a long pipeline */
#define COST_BEAT  15.5 /* a second batch, TIME, HSET, EXPIRE and the first part of HGETALL */

#define LOCK_TABLES 3

struct redis {
    int64_t free_us;
    uint64_t bits[SEGMENTS_MAX][NODES_MAX][SEGMENT_WORDS];
    bool has[SEGMENTS_MAX][NODES_MAX]; /* there is a field at all */
    int fields[SEGMENTS_MAX];
    bool is_member[NODES_MAX];
    int members;
    int lock_owner[LOCK_TABLES][BLOCKS_MAX]; /* of all, and of each zone */
    int64_t lock_until_us[LOCK_TABLES][BLOCKS_MAX];
};

struct redis *redis_new(void)
{
    struct redis *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    return r;
}

void redis_free(struct redis *r)
{
    free(r);
}

static double cost_us(const struct redis *r, const struct redis_batch *b)
{
    double us = COST_BATCH;
    for (int i = 0; i < b->n; i++) {
        const struct redis_op *op = &b->ops[i];
        switch (op->kind) {
        case OP_PUT:
            us += COST_PUT;
            break;
        case OP_CLAIM:
            us += COST_CLAIM;
            break;
        case OP_LOCK:
            us += COST_LOCK;
            break;
        case OP_LOOK: /* a node's own input has one reader */
            us += COST_LOOK + COST_FIELD * (op->segment < 0 ? 1 : r->fields[op->segment]);
            break;
        case OP_BEAT:
            us += COST_BEAT + COST_FIELD * r->members;
            break;
        }
    }
    return us;
}

static void count(struct totals *t, const struct redis_batch *b)
{
    t->redis_batches++;
    for (int i = 0; i < b->n; i++) {
        t->redis_ops += b->ops[i].kind == OP_BEAT ? 4 : 1;
        t->redis_looks += b->ops[i].kind == OP_LOOK;
        t->redis_claims += b->ops[i].kind == OP_CLAIM;
        t->redis_puts += b->ops[i].kind == OP_PUT;
    }
}

static int table_of(const struct node *n, const struct redis_op *op)
{
    return !op->is_zone ? 0 : is_in_slow_zone(n->world, n->index) ? 1 : 2;
}

static void claim(struct redis *r, const struct node *n, struct redis_op *op)
{
    int64_t now = n->world->queue.now_us;
    int t = table_of(n, op);
    op->is_good = op->block >= n->world->shared_blocks || now >= r->lock_until_us[t][op->block];
    if (!op->is_good)
        return;
    r->lock_owner[t][op->block] = n->index;
    r->lock_until_us[t][op->block] = now + WANT_LOCK_MS * 1000;
}

static void give_back_or_renew(struct redis *r, const struct node *n, const struct redis_op *op)
{
    int64_t now = n->world->queue.now_us;
    int t = table_of(n, op);
    if (op->block >= n->world->shared_blocks || r->lock_owner[t][op->block] != n->index ||
        now >= r->lock_until_us[t][op->block])
        return;
    r->lock_until_us[t][op->block] = op->release ? now : now + WANT_LOCK_MS * 1000;
}

static void put(struct redis *r, const struct node *n, const struct redis_op *op)
{
    if (op->segment < 0)
        return;
    r->fields[op->segment] += !r->has[op->segment][n->index];
    r->has[op->segment][n->index] = true;
    memcpy(r->bits[op->segment][n->index], n->own[op->segment], sizeof(n->own[op->segment]));
}

static void look(const struct redis *r, struct node *n, const struct redis_op *op)
{
    if (op->segment < 0)
        return;
    struct view *v = &n->views[op->segment];
    size_t nodes = (size_t)n->world->scenario->nodes;
    memcpy(v->bits, r->bits[op->segment], nodes * sizeof(v->bits[0]));
    if (r->fields[op->segment] > n->crowd)
        n->crowd = r->fields[op->segment];
    if (op->segment == 0)
        memcpy(n->reads, r->has[0], sizeof(n->reads));
}

static void beat(struct redis *r, struct node *n)
{
    r->members += !r->is_member[n->index];
    r->is_member[n->index] = true;
    memcpy(n->knows, r->is_member, sizeof(n->knows)); /* the dead, too: leases hold for 8 s */
    n->knows[n->index] = false;
    n->n_known = r->members - 1;
    n->crowd = 0;
}

static void answer(void *user, int64_t failed)
{
    struct redis_batch *b = user;
    b->failed = failed;
    b->done(b);
}

/* The server has come to this batch: all of it takes effect now. */
static void run(void *user, int64_t number)
{
    struct redis_batch *b = user;
    struct redis *r = b->node->world->redis;
    (void)number;
    for (int i = 0; i < b->n; i++) {
        struct redis_op *op = &b->ops[i];
        if (op->kind == OP_CLAIM)
            claim(r, b->node, op);
        else if (op->kind == OP_LOCK)
            give_back_or_renew(r, b->node, op);
        else if (op->kind == OP_PUT)
            put(r, b->node, op);
        else if (op->kind == OP_LOOK)
            look(r, b->node, op);
        else if (op->kind == OP_BEAT)
            beat(r, b->node);
    }
}

void redis_submit(struct world *w, struct redis_batch *b)
{
    struct redis *r = w->redis;
    const struct scenario *s = w->scenario;
    int64_t trip_us = s->redis_trip_s > 0 ? (int64_t)(s->redis_trip_s * 1e6) : ROUND_TRIP_US;
    int64_t now = w->queue.now_us, arrives = now + trip_us / 2;
    if (s->redis_gone_at_s > 0 && now >= s->redis_gone_at_s * 1e6) {
        queue_at(&w->queue, now + trip_us, answer, b, true); /* connection refused */
        return;
    }
    double us = cost_us(r, b);
    count(&w->totals, b);
    w->totals.redis_busy_us += us;
    r->free_us = (arrives > r->free_us ? arrives : r->free_us) + (int64_t)(us + 0.5);
    bool late = r->free_us + trip_us / 2 - now > TIMEOUT_US;
    queue_at(&w->queue, r->free_us, run, b, 0);
    queue_at(&w->queue, late ? r->free_us : r->free_us + trip_us / 2, answer, b, late);
}
