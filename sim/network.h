/* Bytes on their way. A flow goes over a few links (a sender's uplink, a receiver's downlink, what
 * they share) and gets its max-min fair share of them, as TCP's flows do when they are many and
 * long: no flow can be faster without making a slower one slower still. Source: D. Bertsekas, R.
 * Gallager, "Data Networks", 1992, section 6.5.2.
 *
 * Shares are worked out once a tick: a flow begins and ends at a tick, so each loses half a
 * millisecond, about a round trip. Rates are bytes a second. */
#ifndef WARMPATH_SIM_NETWORK_H
#define WARMPATH_SIM_NETWORK_H

#include <stdbool.h>

#include "sim/queue.h"

#define NETWORK_TICK_US 500
#define FLOW_LINKS      3
#define NO_LINK         (-1)

struct flow {
    int links[FLOW_LINKS];
    double left_bytes, rate, most; /* `most`: its own limit */
    event_fn *done;
    void *user;
    int64_t number;
    bool is_frozen;
};

struct link {
    double rate;
    double left; /* while shares are worked out, as are the next */
    int open;
    double share;
    bool is_bottleneck;
};

struct network {
    struct queue *queue;
    struct link *links;
    int n_links;
    struct flow *flows;
    size_t n_flows, room;
    bool is_ticking, is_changed;
    double moved_bytes; /* all in all */
};

void network_init(struct network *net, struct queue *queue, int n_links);
void network_free(struct network *net);

/* `done(user, number)` once all bytes are through. */
void network_start(struct network *net, const struct flow *flow);

/* A link goes down: its flows stand still. What comes of them is for their owners to say. */
void network_cut(struct network *net, int link);
/* Takes a flow away before its end; false: there is none. */
bool network_cancel(struct network *net, void *user, int64_t number);

#endif
