#include "sim/run.h"

#include <stdlib.h>

#include "sim/node.h"
#include "sim/redis.h"

#define GIVE_UP_US 120000000

uint64_t world_random(struct world *w)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

double world_fraction(struct world *w)
{
    return (double)(world_random(w) >> 11) / (double)(1ull << 53);
}

/* --- one run ------------------------------------------------------------------------- */

static void start_nodes(struct world *w)
{
    const struct scenario *s = w->scenario;
    for (int i = 0; i < s->nodes; i++) {
        int64_t at_us = (int64_t)(world_fraction(w) * s->start_s * 1e6);
        if (at_us > w->last_start_us)
            w->last_start_us = at_us;
        node_init(&w->nodes[i], w, i);
        queue_at(&w->queue, at_us, node_start, &w->nodes[i], 0);
        if (i < s->dead_share * s->nodes)
            queue_at(&w->queue, (int64_t)(s->dead_at_s * 1e6) + 10000 * i, node_die, &w->nodes[i],
                     0);
    }
}

static void set_links(struct world *w)
{
    const struct scenario *s = w->scenario;
    network_init(&w->network, &w->queue, 2 * s->nodes + 3);
    for (int i = 0; i < 2 * s->nodes; i++)
        w->network.links[i].rate = s->nic_rate;
    w->network.links[link_s3(w)].rate = s->s3_rate;
    w->network.links[link_zone_in(w)].rate = w->network.links[link_zone_out(w)].rate =
        s->slow_zone_rate;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void sample(void *user, int64_t number)
{
    struct world *w = user;
    struct series *s = &w->series;
    uint32_t here[NODES_MAX];
    int n = 0, at = s->n;
    for (int i = 0; i < w->scenario->nodes; i++)
        if (!w->nodes[i].is_dead)
            here[n++] = w->nodes[i].here;
    qsort(here, (size_t)n, sizeof(here[0]), by_size);
    s->at_s[at] = (float)((double)w->queue.now_us / 1e6);
    s->network_rate[at] = (float)((w->network.moved_bytes - s->moved_before) * 1e6 / SAMPLE_US);
    s->redis_busy[at] = (float)((w->totals.redis_busy_us - s->busy_before) / SAMPLE_US);
    s->loaded[0][at] = (float)here[0] / (float)w->blocks;
    int middle = n / 2;
    s->loaded[1][at] = (float)here[middle] / (float)w->blocks;
    s->loaded[2][at] = (float)here[n - 1] / (float)w->blocks;
    s->s3_gets[at] = (uint32_t)w->totals.s3_gets;
    s->moved_before = w->network.moved_bytes;
    s->busy_before = w->totals.redis_busy_us;
    s->n = at + 1;
    if (s->n < SAMPLES_MAX && w->totals.loaded + w->totals.dead < w->scenario->nodes)
        queue_at(&w->queue, w->queue.now_us + SAMPLE_US, sample, w, number + 1);
}

struct world *run_scenario(const struct scenario *s, uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    if (!w)
        abort();
    w->scenario = s;
    w->random = seed;
    w->content = world_random(w);
    w->block_bytes = s->block_mib * (1 << 20);
    double blocks_in_gib = 1024 / s->block_mib;
    w->shared_blocks = (uint32_t)(s->model_gib * blocks_in_gib + 0.999);
    w->blocks = w->shared_blocks + (uint32_t)(s->input_gib * blocks_in_gib + 0.999);
    w->nodes = calloc((size_t)s->nodes, sizeof(*w->nodes));
    w->redis = redis_new();
    if (!w->nodes)
        abort();
    set_links(w);
    start_nodes(w);
    queue_at(&w->queue, 0, sample, w, 0);
    while (w->totals.loaded + w->totals.dead < s->nodes && queue_step(&w->queue) < GIVE_UP_US)
        ;
    return w;
}

void run_free(struct world *w)
{
    for (int i = 0; i < w->scenario->nodes; i++)
        node_free(&w->nodes[i]);
    free(w->nodes);
    redis_free(w->redis);
    network_free(&w->network);
    queue_free(&w->queue);
    free(w);
}

/* --- what came of it ------------------------------------------------------------------ */

double run_bound_s(const struct world *w)
{
    const struct scenario *s = w->scenario;
    double own = w->blocks * w->block_bytes / s->nic_rate;
    double from_s3 =
        ((double)w->shared_blocks + (double)(w->blocks - w->shared_blocks) * s->nodes) *
        w->block_bytes / s->s3_rate;
    double through_zone =
        s->slow_zone_rate > 0 ? w->shared_blocks * w->block_bytes / s->slow_zone_rate : 0;
    double most = own > from_s3 ? own : from_s3;
    return (double)w->last_start_us / 1e6 + (most > through_zone ? most : through_zone);
}

static double busiest_second(const struct series *s)
{
    double most = 0, sum = 0;
    int window = 1000000 / SAMPLE_US;
    for (int i = 0; i < s->n; i++) {
        sum += s->redis_busy[i] - (i >= window ? s->redis_busy[i - window] : 0);
        most = sum / window > most ? sum / window : most;
    }
    return most;
}

struct result run_judge(const struct world *w)
{
    const struct scenario *s = w->scenario;
    struct result r = {.bound_s = run_bound_s(w), .time_s = (double)w->all_loaded_us / 1e6};
    bool all = w->totals.loaded + w->totals.dead == s->nodes;
    for (int i = 0; i < s->nodes; i++) {
        const struct node *n = &w->nodes[i];
        double own_s = (double)(n->done_us - n->start_us) / 1e6;
        if (n->done_us && own_s > r.slowest_s)
            r.slowest_s = own_s;
    }
    r.ratio = all ? r.time_s / r.bound_s : 999;
    r.blocks = w->shared_blocks + (uint64_t)(w->blocks - w->shared_blocks) * (uint64_t)s->nodes;
    r.s3_ratio = (double)w->totals.s3_gets / (double)r.blocks;
    r.redis_ops = (double)w->totals.redis_ops / r.time_s;
    r.redis_share = busiest_second(&w->series);
    return r;
}

bool run_is_fine(const struct scenario *s, const struct result *r)
{
    return (s->goal_ratio == 0 || r->ratio <= s->goal_ratio) &&
           (s->goal_s3 == 0 || r->s3_ratio <= s->goal_s3) &&
           (s->goal_redis == 0 || r->redis_share <= s->goal_redis);
}
