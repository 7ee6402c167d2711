/* Asking other nodes: fetch/index_peers.c's choice of a holder, fetch/peer.c's request, the
 * holder's nginx. */
#include <string.h>

#include "sim/node.h"

#define ROUND_TRIP_US 200
#define CONNECT_MS    500 /* of fetch/peer.c */
#define HEARD_MS      1   /* to the first byte, and between pieces, while all is well */
#define UPLOADS_MOST  32  /* limit_conn of tool/nginx_conf.c */

/* All failures here are silences. */
static const struct breaker_rules rules = {.failures = 1, .open_ms = 1000, .open_max_ms = 30000};

enum outcome { GOOD, MISSING, BUSY, FAILED };

static bool was_tried(const struct route *r, int peer)
{
    for (int i = 0; i < r->n_tried; i++)
        if (r->tried[i] == peer)
            return true;
    return false;
}

static bool is_near(const struct node *n, int other)
{
    return strcmp(n->zone, n->world->nodes[other].zone) == 0;
}

/* Does another node of this zone read the object? */
static bool shares_zone(const struct node *n)
{
    for (int i = 0; i < n->world->scenario->nodes; i++)
        if (n->reads[i] && n->knows[i] && n->breakers[i].state == BREAKER_CLOSED && is_near(n, i))
            return true;
    return false;
}

/* As index_knows_gone(): who was a member once and is none is not waited for. */
static bool knows_gone(struct node *n, int peer, int64_t now_ms)
{
    if (n->met_ms[peer] == 0)
        n->met_ms[peer] = now_ms;
    return n->met_ms[peer] < n->beat_ms;
}

static bool takes_turns(const struct route *r)
{
    return !r->want.is_demanded && !r->is_far;
}

/* As index_find_peer() of fetch/index_peers.c. */
int peers_find(struct node *n, const struct route *r, struct found *how)
{
    const struct world *w = n->world;
    struct placement_holder holders[NODES_MAX];
    int peers[NODES_MAX];
    size_t count = 0;
    int64_t now_ms = w->queue.now_us / 1000;
    const struct view *v = &n->views[r->block / SEGMENT_BLOCKS];
    uint32_t bit = r->block % SEGMENT_BLOCKS;
    *how = (struct found){0};
    bool may_cross = r->want.crosses || !n->index_usable || !shares_zone(n);
    if (r->block >= w->shared_blocks || v->viewed_ms < 0 || r->n_tried == TRIES_MAX)
        return -1;
    for (int i = 0; i < w->scenario->nodes; i++) {
        if (!(v->bits[i][bit / 64] >> bit % 64 & 1) || i == n->index || was_tried(r, i))
            continue;
        if (!n->knows[i] && !knows_gone(n, i, now_ms)) {
            how->soon = true; /* it came after our last beat */
            int64_t early_ms = n->beat_ms + want_nodes_gap_ms(index_nodes(n));
            if (n->next_beat_ms > early_ms)
                n->next_beat_ms = early_ms;
        }
        if (!n->knows[i])
            continue;
        if (!may_cross && !is_near(n, i))
            how->far = true;
        else if (n->busy_until_ms[i] > now_ms)
            how->soon = true;
        else if (breaker_would_allow(&n->breakers[i], now_ms)) {
            holders[count] = (struct placement_holder){
                .node = w->nodes[i].id,
                .distance = placement_distance(n->zone, w->nodes[i].zone),
                .asked = (uint32_t)n->asked[i],
                .is_last = r->want.is_demanded && n->breakers[i].state != BREAKER_CLOSED};
            peers[count++] = i;
        }
    }
    if (count == 0)
        return -1;
    size_t best = placement_pick(holders, count, w->content, r->block, n->id, false);
    *how = (struct found){.turn = takes_turns(r) && (uint32_t)n->ahead[peers[best]] >=
                                                        placement_at_once(holders[best].distance)};
    return peers[best];
}

/* As index_holders(). */
size_t peers_holding(const struct node *n, uint32_t block)
{
    size_t count = 0;
    const struct view *v = &n->views[block / SEGMENT_BLOCKS];
    uint32_t bit = block % SEGMENT_BLOCKS;
    for (int i = 0; i < n->world->scenario->nodes && v->viewed_ms >= 0; i++)
        count += i != n->index && n->knows[i] && (v->bits[i][bit / 64] >> bit % 64 & 1);
    return count;
}

/* As index_guess_peer(). */
int peers_guess(const struct node *n, const struct route *r)
{
    const struct world *w = n->world;
    uint64_t nodes[NODES_MAX];
    int peers[NODES_MAX];
    size_t count = 0;
    int64_t now_ms = w->queue.now_us / 1000;
    if (r->block >= w->shared_blocks || r->n_tried == TRIES_MAX ||
        !breaker_would_allow(&n->guessing, now_ms))
        return -1;
    bool near_only = n->index_usable && shares_zone(n);
    for (int i = 0; i < w->scenario->nodes; i++) {
        if (near_only && !is_near(n, i))
            continue;
        if (!n->reads[i] || !n->knows[i] || was_tried(r, i) || n->busy_until_ms[i] > now_ms ||
            n->breakers[i].state != BREAKER_CLOSED)
            continue;
        nodes[count] = w->nodes[i].id;
        peers[count++] = i;
    }
    size_t at = placement_guess(w->content, r->block, nodes, count, n->id, r->want.guesses);
    return at == count ? -1 : peers[at];
}

static void guess_ended(struct node *n, struct route *r, enum outcome how)
{
    int64_t now_ms = n->world->queue.now_us / 1000;
    if (how == GOOD)
        breaker_succeeded(&n->guessing, now_ms);
    else if (how == MISSING)
        breaker_failed(&n->guessing, &want_guess_rules, now_ms, (uint32_t)world_random(n->world));
    else
        breaker_forget(&n->guessing, now_ms);
    r->n_tried -= how == MISSING; /* it may have it later */
    want_missed(&r->want, now_ms);
}

static void ended(struct node *n, struct route *r, enum outcome how)
{
    struct totals *t = &n->world->totals;
    int peer = r->peer;
    int64_t now_ms = n->world->queue.now_us / 1000;
    r->peer = -1;
    n->asked[peer]--;
    n->ahead[peer] -= r->is_ahead;
    if (r->is_guess)
        guess_ended(n, r, how);
    if (how == GOOD) {
        silence_ended(&n->silences[peer], HEARD_MS, HEARD_MS);
        silence_ended(&n->silence, HEARD_MS, HEARD_MS);
    }
    if (how == FAILED)
        breaker_failed(&n->breakers[peer], &rules, now_ms, (uint32_t)world_random(n->world));
    else
        breaker_succeeded(&n->breakers[peer], now_ms);
    t->peer_gets += how == GOOD;
    t->peer_missing += how == MISSING;
    t->peer_busy += how == BUSY;
    t->peer_failed += how == FAILED;
    if (how == BUSY) { /* it may be asked again */
        n->busy_until_ms[peer] = now_ms + want_busy_ms((uint32_t)world_random(n->world));
        r->n_tried--;
        r->rounds -= !r->is_guess;
    }
    if (how == GOOD)
        route_here(n, r);
    else
        route_look(n, r);
    routes_next_turns(n);
}

static void on_flow(void *user, int64_t block)
{
    struct node *n = user;
    struct route *r = n->routes[block];
    n->world->nodes[r->peer].uploads--;
    if (!n->is_dead)
        ended(n, r, GOOD);
}

static void refused(void *user, int64_t number)
{
    struct node *n = user;
    struct route *r = n->routes[number / 4];
    if (!n->is_dead)
        ended(n, r, (enum outcome)(number % 4));
}

/* The request has reached the holder. */
static void at_holder(void *user, int64_t block)
{
    struct node *n = user;
    struct world *w = n->world;
    struct route *r = n->routes[block];
    struct node *holder = &w->nodes[r->peer];
    if (n->is_dead)
        return;
    enum outcome how = holder->is_dead                   ? FAILED
                       : holder->uploads >= UPLOADS_MOST ? BUSY
                       : !node_holds(holder, r->block)   ? MISSING
                                                         : GOOD;
    if (how != GOOD) {
        struct silence *silence = &n->silences[r->peer];
        int64_t silent_ms = silence_first_most_ms(silence, &n->silence);
        if (silent_ms > CONNECT_MS) /* it may still have a connection to it, or not */
            silent_ms = CONNECT_MS;
        if (how == FAILED)
            silence_lasted_first(silence, silent_ms);
        int64_t after_us = how == FAILED ? silent_ms * 1000 : ROUND_TRIP_US / 2;
        queue_at(&w->queue, w->queue.now_us + after_us, refused, n, block * 4 + (int64_t)how);
        return;
    }
    holder->uploads++;
    if (holder->uploads > w->totals.most_uploads)
        w->totals.most_uploads = holder->uploads;
    bool from_slow = is_in_slow_zone(w, holder->index), to_slow = is_in_slow_zone(w, n->index);
    struct flow f = {.links = {link_up(holder->index), link_down(n->index),
                               from_slow && !to_slow   ? link_zone_out(w)
                               : to_slow && !from_slow ? link_zone_in(w)
                                                       : NO_LINK},
                     .left_bytes = w->block_bytes,
                     .most = w->scenario->nic_rate,
                     .done = on_flow,
                     .user = n,
                     .number = block};
    network_start(&w->network, &f);
}

void peers_ask(struct node *n, struct route *r, int peer)
{
    breaker_allows(&n->breakers[peer], &rules, n->world->queue.now_us / 1000);
    r->peer = peer;
    r->tried[r->n_tried++] = peer;
    r->is_ahead = takes_turns(r);
    n->asked[peer]++;
    n->ahead[peer] += r->is_ahead;
    queue_at(&n->world->queue, n->world->queue.now_us + ROUND_TRIP_US / 2, at_holder, n, r->block);
}

static void stalled(void *user, int64_t block)
{
    struct node *n = user;
    if (!n->is_dead)
        ended(n, n->routes[block], FAILED);
}

/* What came from it stands still until the stall is noticed; what went to it is over. */
void peers_died(struct node *dead)
{
    struct world *w = dead->world;
    for (int i = 0; i < dead->n_coming; i++) {
        const struct route *r = dead->routes[dead->coming[i]];
        if (network_cancel(&w->network, dead, r->block) && r->peer >= 0)
            w->nodes[r->peer].uploads--;
    }
    for (int k = 0; k < w->scenario->nodes; k++) {
        struct node *n = &w->nodes[k];
        for (int i = 0; i < n->n_coming; i++) {
            const struct route *r = n->routes[n->coming[i]];
            if (r->peer == dead->index && network_cancel(&w->network, n, r->block))
                queue_at(&w->queue,
                         w->queue.now_us +
                             silence_most_ms(&n->silences[dead->index], &n->silence) * 1000,
                         stalled, n, r->block);
        }
    }
}
