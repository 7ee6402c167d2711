#include "sim/network.h"

#include <stdlib.h>

#define ROUNDS_MAX 12 /* flows that are open after so many get the least of their links' shares */

void network_init(struct network *net, struct queue *queue, int n_links)
{
    *net = (struct network){.queue = queue, .n_links = n_links};
    net->links = calloc((size_t)n_links, sizeof(*net->links));
    if (!net->links)
        abort();
}

void network_free(struct network *net)
{
    free(net->links);
    free(net->flows);
}

/* --- shares ------------------------------------------------------------------------ */

static double least_share(const struct network *net, const struct flow *f)
{
    double least = f->most;
    for (int i = 0; i < FLOW_LINKS; i++)
        if (f->links[i] != NO_LINK && net->links[f->links[i]].share < least)
            least = net->links[f->links[i]].share;
    return least;
}

static void freeze(struct network *net, struct flow *f, double rate)
{
    f->rate = rate;
    f->is_frozen = true;
    for (int i = 0; i < FLOW_LINKS; i++) {
        if (f->links[i] == NO_LINK)
            continue;
        struct link *l = &net->links[f->links[i]];
        l->left -= rate;
        l->open--;
    }
}

/* A link is a bottleneck when none of its open flows is held back more elsewhere. */
static void find_bottlenecks(struct network *net)
{
    for (int i = 0; i < net->n_links; i++) {
        struct link *l = &net->links[i];
        l->share = l->open > 0 && l->left > 0 ? l->left / l->open : 0;
        l->is_bottleneck = l->open > 0;
    }
    for (size_t k = 0; k < net->n_flows; k++) {
        const struct flow *f = &net->flows[k];
        if (f->is_frozen)
            continue;
        double least = least_share(net, f);
        for (int i = 0; i < FLOW_LINKS; i++)
            if (f->links[i] != NO_LINK && net->links[f->links[i]].share > least)
                net->links[f->links[i]].is_bottleneck = false;
    }
}

static bool is_settled(const struct network *net, const struct flow *f, double least)
{
    bool settled = least == f->most;
    for (int i = 0; i < FLOW_LINKS; i++)
        settled |= f->links[i] != NO_LINK && net->links[f->links[i]].is_bottleneck;
    return settled;
}

static void work_out_shares(struct network *net)
{
    for (int i = 0; i < net->n_links; i++) {
        net->links[i].left = net->links[i].rate;
        net->links[i].open = 0;
    }
    for (size_t k = 0; k < net->n_flows; k++) {
        net->flows[k].is_frozen = false;
        for (int i = 0; i < FLOW_LINKS; i++)
            if (net->flows[k].links[i] != NO_LINK)
                net->links[net->flows[k].links[i]].open++;
    }
    size_t open = net->n_flows;
    for (int round = 1; open > 0; round++) {
        find_bottlenecks(net);
        open = 0;
        for (size_t k = 0; k < net->n_flows; k++) {
            struct flow *f = &net->flows[k];
            if (f->is_frozen)
                continue;
            double least = least_share(net, f);
            if (round >= ROUNDS_MAX || is_settled(net, f, least))
                freeze(net, f, least);
            else
                open++;
        }
    }
}

/* --- time --------------------------------------------------------------------------- */

static void drop(struct network *net, size_t k)
{
    net->flows[k] = net->flows[--net->n_flows];
    net->is_changed = true;
}

static void tick(void *user, int64_t number)
{
    struct network *net = user;
    (void)number;
    for (size_t k = 0; k < net->n_flows;) {
        struct flow *f = &net->flows[k];
        double bytes = f->rate * NETWORK_TICK_US / 1e6;
        bytes = bytes < f->left_bytes ? bytes : f->left_bytes;
        f->left_bytes -= bytes;
        net->moved_bytes += bytes;
        if (f->left_bytes > 0.5) {
            k++;
            continue;
        }
        queue_at(net->queue, net->queue->now_us, f->done, f->user, f->number);
        drop(net, k);
    }
    if (net->is_changed)
        work_out_shares(net);
    net->is_changed = false;
    net->is_ticking = net->n_flows > 0;
    if (net->is_ticking)
        queue_at(net->queue, net->queue->now_us + NETWORK_TICK_US, tick, net, 0);
}

void network_start(struct network *net, const struct flow *flow)
{
    if (net->n_flows == net->room) {
        net->room = net->room ? net->room * 2 : 1024;
        net->flows = reallocarray(net->flows, net->room, sizeof(*net->flows));
        if (!net->flows)
            abort();
    }
    net->flows[net->n_flows] = *flow;
    net->flows[net->n_flows++].rate = 0; /* until the next tick */
    net->is_changed = true;
    if (net->is_ticking)
        return;
    net->is_ticking = true;
    int64_t next = (net->queue->now_us / NETWORK_TICK_US + 1) * NETWORK_TICK_US;
    queue_at(net->queue, next, tick, net, 0);
}

void network_cut(struct network *net, int link)
{
    net->links[link].rate = 0;
    net->is_changed = true;
}

bool network_cancel(struct network *net, void *user, int64_t number)
{
    for (size_t k = 0; k < net->n_flows; k++) {
        if (net->flows[k].user != user || net->flows[k].number != number)
            continue;
        drop(net, k);
        return true;
    }
    return false;
}
