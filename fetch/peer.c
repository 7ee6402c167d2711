#include "fetch/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

/* Nodes are near each other: one that takes longer is of no use, and the origin is there. */
#define CONNECT_MS   500
#define TOTAL_MS     15000
#define SIGNED_FOR_S 300 /* clocks may differ by that much */

/* When a node was last heard of, by any request. Two that share a place pass for each other, which
 * only makes them be waited for a little longer. */
#define HEARD_PLACES 1024
static atomic_int_fast64_t heard_ms[HEARD_PLACES];

static atomic_int_fast64_t *heard_of(const struct peer_request *r)
{
    return &heard_ms[r->peer.node % HEARD_PLACES];
}

/* It was silent since the later of the two. */
static int64_t silent_ms(const struct peer_request *r, int64_t since_ms, int64_t now_ms)
{
    int64_t heard = atomic_load(heard_of(r));
    return heard < since_ms ? now_ms - since_ms : now_ms > heard ? now_ms - heard : 0;
}

static void note_gap(struct peer_request *r)
{
    int64_t now = clock_monotonic_ms(), gap_ms = silent_ms(r, r->heard_ms, now);
    if (gap_ms > r->peer.gap_ms)
        r->peer.gap_ms = gap_ms;
    r->heard_ms = now;
    atomic_store(heard_of(r), now);
}

static bool on_head(struct http_request *h)
{
    struct peer_request *r = h->user;
    r->heard_ms = clock_monotonic_ms();
    int64_t first_ms = silent_ms(r, r->heard_ms - h->first_byte_ms, r->heard_ms);
    r->peer.first_byte_ms = first_ms > 0 ? first_ms : 1; /* 0: none came */
    atomic_store(heard_of(r), r->heard_ms);
    if (h->status == 200)
        return true;
    r->outcome = h->status == 404                       ? PEER_MISSING
                 : h->status == 503 || h->status == 429 ? PEER_BUSY
                                                        : PEER_FAILED;
    if (h->status == 403 || h->status == 410)
        snprintf(r->why, sizeof(r->why),
                 "it refuses us (%d): is WARMPATH_CLUSTER_SECRET the same there, and do the clocks "
                 "agree?",
                 h->status);
    else
        snprintf(r->why, sizeof(r->why), "it answers with status %d", h->status);
    return true; /* the short page behind it keeps the connection usable */
}

static bool on_body(struct http_request *h, const void *data, size_t len)
{
    struct peer_request *r = h->user;
    if (h->status != 200)
        return true;
    note_gap(r);
    r->bytes += len;
    if (r->bytes > r->max_bytes) {
        r->outcome = PEER_LIED;
        snprintf(r->why, sizeof(r->why), "it sends more than a block");
        return false;
    }
    return r->write(r, data, len);
}

static void on_done(struct http_request *h)
{
    struct peer_request *r = h->user;
    if (h->error < 0 && r->outcome == PEER_GOOD) {
        r->peer.was_silent = h->error == -ETIMEDOUT || h->error == -EHOSTUNREACH;
        r->outcome = PEER_FAILED;
        snprintf(r->why, sizeof(r->why), "%s", h->why);
    }
    r->done(r);
}

int peer_submit(struct http_engine *engine, struct peer_request *r)
{
    char args[SECRET_LINK_ARGS] = "";
    if (r->access->signs)
        secret_link_args(r->access->link_key, r->path, clock_wall_s() + SIGNED_FOR_S, args);
    int len = snprintf(r->url, sizeof(r->url), "%s%s%s%s", r->peer.url, r->path, args[0] ? "?" : "",
                       args);
    if (len < 0 || (size_t)len >= sizeof(r->url))
        return -ENAMETOOLONG;
    r->outcome = PEER_GOOD;
    r->bytes = 0;
    r->why[0] = '\0';
    int64_t connect_ms =
        r->peer.first_byte_most_ms < CONNECT_MS ? r->peer.first_byte_most_ms : CONNECT_MS;
    r->http = (struct http_request){.method = "GET",
                                    .url = r->url,
                                    .ca_bundle = r->access->ca,
                                    .client_cert = r->access->cert,
                                    .client_key = r->access->key,
                                    .connect_timeout_ms = connect_ms,
                                    .first_byte_timeout_ms = r->peer.first_byte_most_ms,
                                    .stall_timeout_ms = r->peer.gap_most_ms,
                                    .total_timeout_ms = TOTAL_MS,
                                    .server_heard_ms = heard_of(r),
                                    .head = on_head,
                                    .body = on_body,
                                    .done = on_done,
                                    .user = r};
    return http_submit(engine, &r->http);
}
