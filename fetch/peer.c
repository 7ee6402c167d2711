#include "fetch/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* Nodes are near each other: one that takes longer is of no use, and the origin is there. */
#define CONNECT_MS   500
#define TOTAL_MS     15000
#define SIGNED_FOR_S 300 /* clocks may differ by that much */
#define KNOCK_GAP_MS 100
#define KNOCK_MS     2000 /* longer than any request waits for it */

/* What is known of a node by all requests to it. Two that share a place pass for each other, which
 * only makes them be waited for a little longer. */
static struct place {
    atomic_int_fast64_t heard_ms; /* its last byte came */
    atomic_int_fast64_t alive_ms; /* or it took a connection */
    atomic_bool is_knocked_at;
} places[1024];

static struct place *place_of(const struct peer_request *r)
{
    return &places[r->peer.node % (sizeof(places) / sizeof(places[0]))];
}

static void heard(struct peer_request *r)
{
    r->heard_ms = clock_monotonic_ms();
    atomic_store(&place_of(r)->heard_ms, r->heard_ms);
    atomic_store(&place_of(r)->alive_ms, r->heard_ms);
}

/* --- a silent node: is it there? ---------------------------------------------------------- */

/* Its system takes a connection even when its processes have to wait for a processor; a node that
 * is gone, or out of reach, does not. */
struct knock {
    struct http_request http;
    struct place *place;
    char url[MEMBER_URL_MAX + 16];
};

static void on_knocked(struct http_request *h)
{
    struct knock *k = h->user;
    if (h->error == 0)
        atomic_store(&k->place->alive_ms, clock_monotonic_ms());
    atomic_store(&k->place->is_knocked_at, false);
    free(k);
}

/* Without TLS, which would need the node's processes. */
static void knock_url(const char *peer, char *out, size_t size)
{
    const char *scheme = strstr(peer, "://"), *host = scheme ? scheme + 3 : peer;
    int len = (int)strcspn(host, "/");
    const char *bracket = memchr(host, ']', (size_t)len); /* behind an IPv6 address */
    const char *name_end = bracket ? bracket : host;
    bool has_port = memchr(name_end, ':', (size_t)(host + len - name_end));
    bool is_https = strncmp(peer, "https:", 6) == 0;
    snprintf(out, size, "http://%.*s%s/", len, host, is_https && !has_port ? ":443" : "");
}

static void on_quiet(struct http_request *h)
{
    const struct peer_request *r = h->user;
    struct place *place = place_of(r);
    int64_t age_ms = clock_monotonic_ms() - atomic_load(&place->alive_ms);
    if (age_ms < KNOCK_GAP_MS || atomic_exchange(&place->is_knocked_at, true))
        return;
    struct knock *k = calloc(1, sizeof(*k));
    if (!k)
        abort();
    k->place = place;
    knock_url(r->peer.url, k->url, sizeof(k->url));
    k->http = (struct http_request){.method = "GET",
                                    .url = k->url,
                                    .connect_only = true,
                                    .connect_timeout_ms = KNOCK_MS,
                                    .total_timeout_ms = KNOCK_MS,
                                    .done = on_knocked,
                                    .user = k};
    if (http_submit(r->engine, &k->http) == 0)
        return;
    atomic_store(&place->is_knocked_at, false);
    free(k);
}

/* --- the request ---------------------------------------------------------------------------- */

/* It was silent since the later of the two. */
static int64_t silent_ms(const struct peer_request *r, int64_t since_ms, int64_t now_ms)
{
    int64_t heard_ms = atomic_load(&place_of(r)->heard_ms);
    return heard_ms < since_ms ? now_ms - since_ms : now_ms > heard_ms ? now_ms - heard_ms : 0;
}

static void note_gap(struct peer_request *r)
{
    int64_t now = clock_monotonic_ms(), gap_ms = silent_ms(r, r->heard_ms, now);
    if (gap_ms > r->peer.gap_ms)
        r->peer.gap_ms = gap_ms;
    heard(r);
}

static bool on_head(struct http_request *h)
{
    struct peer_request *r = h->user;
    int64_t now = clock_monotonic_ms();
    int64_t first_ms = silent_ms(r, now - h->first_byte_ms, now);
    r->peer.first_byte_ms = first_ms > 0 ? first_ms : 1; /* 0: none came */
    heard(r);
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

/* Since it was last heard of, and asked. */
static bool is_reachable(const struct peer_request *r)
{
    int64_t alive_ms = atomic_load(&place_of(r)->alive_ms);
    return alive_ms > atomic_load(&place_of(r)->heard_ms) && alive_ms > r->asked_ms;
}

static void on_done(struct http_request *h)
{
    struct peer_request *r = h->user;
    if (h->error < 0 && r->outcome == PEER_GOOD) {
        r->peer.was_silent = h->error == -ETIMEDOUT || h->error == -EHOSTUNREACH;
        r->peer.was_reachable = r->peer.was_silent && is_reachable(r);
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
    struct place *place = place_of(r);
    r->engine = engine;
    r->asked_ms = clock_monotonic_ms();
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
                                    .server_heard_ms =
                                        r->peer.is_only ? &place->alive_ms : &place->heard_ms,
                                    .quiet = on_quiet,
                                    .head = on_head,
                                    .body = on_body,
                                    .done = on_done,
                                    .user = r};
    return http_submit(engine, &r->http);
}
