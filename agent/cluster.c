#include "agent/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/loopback.h"
#include "common/options.h"
#include "fetch/redis.h"

struct cluster {
    struct index *index;
    struct store *store;
    struct peer_access access;
    char url[MEMBER_URL_MAX];
    char zone[MEMBER_ZONE_MAX];
    uint64_t node;
};

/* --- what the index asks, what the store tells ---------------------------------------- */

static bool holds(void *user, const struct index_block *b)
{
    const struct cluster *c = user;
    struct version v = {.style = 0};
    memcpy(v.id.bytes, b->version, sizeof(v.id.bytes));
    return store_offers(c->store, &v, b->block);
}

/* `warmpath node stop` leaves a file that says no. */
static bool offers(void *user)
{
    const struct cluster *c = user;
    return !store_is_closed(c->store);
}

/* The index doesn't know this node: it was away for long, or Redis lost what it knew. */
static void tell_all(void *user)
{
    const struct cluster *c = user;
    store_tell_all_soon(c->store);
}

static void tell_more(void *user)
{
    const struct cluster *c = user;
    store_tell_more_soon(c->store);
}

static struct index_block block_of(const struct version *v, uint64_t index)
{
    struct index_block b = {.block = index, .blocks = version_blocks(v)};
    memcpy(b.version, v->id.bytes, sizeof(b.version));
    return b;
}

static void on_published(void *user, const struct version *v, uint64_t index)
{
    struct cluster *c = user;
    struct index_block b = block_of(v, index);
    index_publish(c->index, &b);
}

static void on_kept(void *user, const struct version *v, uint64_t index)
{
    struct cluster *c = user;
    struct index_block b = block_of(v, index);
    index_let_go(c->index, &b);
}

static void on_leaving(void *user, const struct store_place *places, size_t n, bool may_wait)
{
    struct cluster *c = user;
    struct index_block *b = must_calloc(n, sizeof(*b));
    for (size_t i = 0; i < n; i++) {
        memcpy(b[i].version, places[i].version.bytes, sizeof(b[i].version));
        b[i].block = places[i].index;
    }
    index_withdraw(c->index, b, n, may_wait);
    free(b);
}

static bool on_found(void *user, const struct store_place *place, uint64_t blocks)
{
    struct cluster *c = user;
    struct index_block b = {.block = place->index, .blocks = blocks};
    memcpy(b.version, place->version.bytes, sizeof(b.version));
    return index_announce(c->index, &b);
}

/* --- options ------------------------------------------------------------------------------ */

/* As old as the blocks: whoever removes them removes it, and what the index says of the node that
 * was does not count for the new one. */
static uint64_t node_id(const char *store_dir)
{
    char path[4200], text[32] = "";
    uint64_t node = 0;
    snprintf(path, sizeof(path), "%s/blocks/node", store_dir);
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) == 17)
        node = strtoull(text, NULL, 16);
    if (node)
        return node;
    if (getrandom(&node, sizeof(node), 0) < 0)
        node = (uint64_t)getpid() << 32 ^ (uint64_t)clock_wall_s();
    int len = snprintf(text, sizeof(text), "%016llx\n", (unsigned long long)node);
    if (fd < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        log_warn("index", "%s can't be written: this node is another one after a restart", path);
    return node;
}

/* Anybody who can reach a store's server without a token or a certificate could read all blocks. */
static bool check_url(const char *url, bool signs, char *why, size_t size)
{
    bool https = strncmp(url, "https://", 8) == 0;
    if (!https && strncmp(url, "http://", 7) != 0)
        snprintf(why, size, "WARMPATH_PEER_URL begins with http:// or https://");
    else if (strlen(url) >= MEMBER_URL_MAX || strpbrk(url, " ?#\r\n"))
        snprintf(why, size, "WARMPATH_PEER_URL is too long or has a character that can't be in it");
    else if (!https && !signs)
        snprintf(
            why, size,
            "WARMPATH_PEER_URL is http:// and there is no WARMPATH_CLUSTER_SECRET: without it, "
            "or https:// with certificates, anybody could read this node's blocks; they are "
            "not offered");
    else
        return true;
    return false;
}

static bool is_loopback(const char *url)
{
    return strncmp(url, "http://", 7) == 0 && loopback_is(url + 7);
}

static void read_url(struct cluster *c)
{
    char why[300];
    const char *url = option_text(OPT_PEER_URL);
    if (!*url)
        return;
    if (!check_url(url, c->access.signs || is_loopback(url), why, sizeof(why))) {
        log_error("index", "%s", why);
        return;
    }
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    memcpy(c->url, url, len);
}

static void read_zone(struct cluster *c)
{
    const char *zone = option_text(OPT_ZONE);
    if (strlen(zone) >= sizeof(c->zone) || strpbrk(zone, " \r\n")) {
        log_error("index", "WARMPATH_ZONE is too long or has spaces: left out");
        return;
    }
    memcpy(c->zone, zone, strlen(zone));
}

static const char *option_or_null(enum option_id id)
{
    const char *text = option_text(id);
    return *text ? text : NULL;
}

static bool read_access(struct cluster *c, struct secret *secret)
{
    char why[400];
    if (secret_load(secret, why, sizeof(why)) < 0) {
        log_error("index", "%s; the node stands alone", why);
        return false;
    }
    c->access.signs = secret->is_set;
    secret_link_key(secret, c->access.link_key);
    c->access.ca = option_or_null(OPT_PEER_CA);
    c->access.cert = option_or_null(OPT_PEER_CERT);
    c->access.key = option_or_null(OPT_PEER_KEY);
    return true;
}

/* --- life ----------------------------------------------------------------------------------- */

struct cluster *cluster_start(struct store *store)
{
    const char *url = option_text(OPT_REDIS);
    struct index_config config = {
        .holds = holds, .offers = offers, .tell_all = tell_all, .tell_more = tell_more};
    char why[400];
    if (!*url)
        return NULL;
    if (redis_url_parse(url, &config.redis, why, sizeof(why)) < 0 ||
        redis_supports(&config.redis, why, sizeof(why)) < 0) {
        log_error("index", "%s; the node stands alone", why);
        return NULL;
    }
    struct cluster *c = must_calloc(1, sizeof(*c));
    c->store = store;
    if (!read_access(c, &config.secret)) {
        free(c);
        return NULL;
    }
    read_url(c);
    read_zone(c);
    c->node = config.node = node_id(store_dir(store));
    memcpy(config.url, c->url, sizeof(config.url));
    memcpy(config.zone, c->zone, sizeof(config.zone));
    config.other_regions = strcmp(option_text(OPT_PEER_REGIONS), "any") == 0;
    config.user = c;
    c->index = index_new(&config);
    explicit_bzero(&config, sizeof(config));
    store_watch(store, &(struct store_watcher){on_published, on_kept, on_leaving, on_found, c});
    index_start(c->index);
    log_info("index", "node %016llx, %s", (unsigned long long)c->node,
             c->url[0] ? c->url : "which offers its blocks to nobody");
    return c;
}

void cluster_stop(struct cluster *c)
{
    if (!c)
        return;
    store_watch(c->store, NULL);
    index_free(c->index);
    free(c);
}

bool cluster_shares(const struct agent *a)
{
    return a->cluster && index_usable(a->cluster->index);
}

void cluster_opened(const struct agent *a, const struct version *v)
{
    if (a->cluster)
        index_opened(a->cluster->index, v->id.bytes, version_blocks(v));
}

bool cluster_may_hold(const struct agent *a, const struct version *v, uint64_t index)
{
    struct index_block b = block_of(v, index);
    return a->cluster && index_may_hold(a->cluster->index, &b);
}

size_t cluster_holders(const struct agent *a, const struct version *v, uint64_t index)
{
    struct index_block b = block_of(v, index);
    return a->cluster ? index_holders(a->cluster->index, &b) : 0;
}

uint64_t cluster_node(const struct cluster *c)
{
    return c->node;
}

struct index *cluster_index(const struct cluster *c)
{
    return c->index;
}

const struct peer_access *cluster_access(const struct cluster *c)
{
    return &c->access;
}

static json_t *list_troubles(const struct index_status *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_troubles; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "what", s->troubles[i].what, "since_s",
                                              (json_int_t)s->troubles[i].since_s));
    return list;
}

json_t *cluster_status(const struct agent *a)
{
    struct index_status s;
    char node[20];
    if (!a->cluster)
        return NULL;
    index_status(a->cluster->index, &s);
    snprintf(node, sizeof(node), "%016llx", (unsigned long long)a->cluster->node);
    return json_pack("{s:s, s:s, s:b, s:s, s:s, s:I, s:s, s:I, s:I, s:i, s:i, s:i, s:o}", "node",
                     node, "url", a->cluster->url, "offered", s.offered, "zone", a->cluster->zone,
                     "index", index_state_name(s.state), "index_since_s", (json_int_t)s.since_s,
                     "index_why", s.why, "redis_commands", (json_int_t)s.commands,
                     "redis_round_trips", (json_int_t)s.round_trips, "nodes", (int)s.nodes, "peers",
                     (int)s.peers, "troubled_peers", (int)s.troubled, "troubles",
                     list_troubles(&s));
}
