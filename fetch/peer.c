#include "fetch/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

/* Nodes are near each other: one that takes longer is of no use, and the origin is there. */
#define CONNECT_MS   500
#define TOTAL_MS     15000
#define SIGNED_FOR_S 300 /* clocks may differ by that much */

static void note_gap(struct peer_request *r)
{
    int64_t now = clock_monotonic_ms();
    if (now - r->heard_ms > r->peer.gap_ms)
        r->peer.gap_ms = now - r->heard_ms;
    r->heard_ms = now;
}

static bool on_head(struct http_request *h)
{
    struct peer_request *r = h->user;
    r->heard_ms = clock_monotonic_ms();
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
    r->peer.first_byte_ms = h->first_byte_ms;
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
                                    .head = on_head,
                                    .body = on_body,
                                    .done = on_done,
                                    .user = r};
    return http_submit(engine, &r->http);
}
