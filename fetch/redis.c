#include "fetch/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "fetch/redis_link.h"

#define SLOTS           16384
#define LINKS_MAX       256
#define NO_LINK         0xffff
#define ROUNDS_MAX      4 /* a command that is sent on and on is given up */
#define RELOAD_AGAIN_MS 500

static const struct breaker_rules link_rules = {
    .failures = 2, .open_ms = 500, .open_max_ms = 10000};

struct redis {
    struct redis_target target;
    bool is_cluster; /* told so, or found out by MOVED */
    bool slots_known;
    int64_t loaded_ms; /* slots, or the master's address: last try */
    size_t n_links;
    struct redis_link *links[LINKS_MAX];
    struct redis_link sentinel; /* while asking one */
    uint16_t slots[SLOTS];
    uint64_t turn;
    char why[600];
};

/* CRC-16/XMODEM over the part in braces, else all of it. Source: Redis Cluster specification. */
static unsigned slot_of(const char *key, size_t len)
{
    const char *open = memchr(key, '{', len);
    if (open) {
        const char *close = memchr(open + 1, '}', len - (size_t)(open + 1 - key));
        if (close && close > open + 1) {
            key = open + 1;
            len = (size_t)(close - key);
        }
    }
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)key[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return crc & (SLOTS - 1);
}

static struct redis_link *find_link(struct redis *r, const struct redis_address *address)
{
    for (size_t i = 0; i < r->n_links; i++)
        if (r->links[i]->address.port == address->port &&
            strcmp(r->links[i]->address.host, address->host) == 0)
            return r->links[i];
    if (r->n_links == LINKS_MAX)
        return NULL;
    struct redis_link *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->address = *address;
    return r->links[r->n_links++] = l;
}

static uint16_t link_number(const struct redis *r, const struct redis_link *l)
{
    for (size_t i = 0; i < r->n_links; i++)
        if (r->links[i] == l)
            return (uint16_t)i;
    return NO_LINK;
}

int redis_supports(const struct redis_target *target, char *why, size_t why_size)
{
#ifndef WARMPATH_REDIS_TLS
    if (target->tls) {
        snprintf(why, why_size,
                 "WARMPATH_REDIS: rediss:// needs TLS in hiredis (libhiredis_ssl of hiredis 1.0 or "
                 "later), and this build found none; Debian 12 has none, Debian 13 has");
        return -EPROTONOSUPPORT;
    }
#endif
    (void)target;
    (void)why;
    (void)why_size;
    return 0;
}

struct redis *redis_new(const struct redis_target *target)
{
    struct redis *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->target = *target;
    r->is_cluster = target->kind == REDIS_CLUSTER;
    for (size_t i = 0; i < SLOTS; i++)
        r->slots[i] = NO_LINK;
    for (size_t i = 0; target->kind != REDIS_SENTINEL && i < target->n_seeds; i++)
        find_link(r, &target->seeds[i]);
    return r;
}

void redis_free(struct redis *r)
{
    for (size_t i = 0; i < r->n_links; i++) {
        redis_link_close(r->links[i]);
        free(r->links[i]);
    }
    redis_link_close(&r->sentinel);
    free(r);
}

const char *redis_why(const struct redis *r)
{
    return r->why;
}

static uint32_t draw(void)
{
    uint32_t n = 0;
    if (getrandom(&n, sizeof(n), 0) < 0)
        n = (uint32_t)clock_monotonic_ms();
    return n;
}

/* Connected and allowed to be used; else its `error` says why. */
static bool ready(struct redis *r, struct redis_link *l, int64_t until_ms)
{
    int64_t now = clock_monotonic_ms();
    if (l->error < 0 || l->tried)
        return l->error == 0;
    if (!breaker_allows(&l->breaker, &link_rules, now)) {
        l->error = -EAGAIN;
        return false;
    }
    l->tried = true;
    return l->context ||
           redis_link_connect(l, &r->target, false, until_ms, r->why, sizeof(r->why)) == 0;
}

/* A server that failed may have been replaced: ask who serves now. */
static void lose(struct redis *r, struct redis_link *l)
{
    breaker_failed(&l->breaker, &link_rules, clock_monotonic_ms(), draw());
    redis_link_close(l);
    if (r->target.kind == REDIS_SENTINEL || r->is_cluster)
        r->slots_known = false;
}

/* Tells the breaker how the attempt that ready() began has ended. */
static void settle(struct redis *r, struct redis_link *l)
{
    l->appended = 0;
    if (!l->tried)
        return;
    l->tried = false;
    if (l->error < 0)
        lose(r, l);
    else
        breaker_succeeded(&l->breaker, clock_monotonic_ms());
}

/* --- who has which slot ---------------------------------------------------------- */

static bool read_address(const redisReply *node, const struct redis_link *from,
                         struct redis_address *out)
{
    if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
        node->element[0]->type != REDIS_REPLY_STRING ||
        node->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    const char *host = node->element[0]->str;
    if (!*host || strcmp(host, "?") == 0)
        host = from->address.host; /* "as you reached me" */
    if (strlen(host) >= sizeof(out->host))
        return false;
    memset(out, 0, sizeof(*out));
    memcpy(out->host, host, strlen(host) + 1);
    out->port = (uint16_t)node->element[1]->integer;
    return out->port != 0;
}

static bool read_slots(struct redis *r, const struct redis_link *from, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *range = reply->element[i];
        struct redis_address address;
        if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
            range->element[0]->type != REDIS_REPLY_INTEGER ||
            range->element[1]->type != REDIS_REPLY_INTEGER ||
            !read_address(range->element[2], from, &address))
            continue;
        struct redis_link *l = find_link(r, &address);
        long long last = range->element[1]->integer;
        for (long long s = range->element[0]->integer; l && s >= 0 && s <= last && s < SLOTS; s++)
            r->slots[s] = link_number(r, l);
    }
    return true;
}

/* Asks the servers that answer, one after the other. */
static void load_slots(struct redis *r, int64_t until_ms)
{
    int64_t now = clock_monotonic_ms();
    if (r->loaded_ms && now - r->loaded_ms < RELOAD_AGAIN_MS)
        return;
    r->loaded_ms = now;
    for (size_t i = 0; i < r->n_links && clock_monotonic_ms() < until_ms; i++) {
        struct redis_link *l = r->links[(i + r->turn) % r->n_links];
        redisReply *reply =
            ready(r, l, until_ms)
                ? redis_link_ask(l, until_ms, r->why, sizeof(r->why), "CLUSTER", "SLOTS", NULL)
                : NULL;
        bool good = reply && read_slots(r, l, reply);
        if (reply)
            freeReplyObject(reply);
        settle(r, l);
        if (good) {
            r->slots_known = true;
            return;
        }
    }
    r->turn++;
}

/* --- who is the master ------------------------------------------------------------ */

static bool ask_sentinel(struct redis *r, const struct redis_address *at, int64_t until_ms)
{
    bool found = false;
    r->sentinel.address = *at;
    r->sentinel.error = 0;
    if (redis_link_connect(&r->sentinel, &r->target, true, until_ms, r->why, sizeof(r->why)) < 0)
        return false;
    redisReply *reply = redis_link_ask(&r->sentinel, until_ms, r->why, sizeof(r->why), "SENTINEL",
                                       "get-master-addr-by-name", r->target.master);
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING &&
        strlen(reply->element[0]->str) < sizeof(at->host)) {
        struct redis_address master = {.port = (uint16_t)atoi(reply->element[1]->str)};
        memcpy(master.host, reply->element[0]->str, strlen(reply->element[0]->str) + 1);
        struct redis_link *l = find_link(r, &master);
        if (l) {
            found = true;
            for (size_t s = 0; s < SLOTS; s++)
                r->slots[s] = link_number(r, l);
        }
    } else if (reply) {
        snprintf(r->why, sizeof(r->why), "Sentinel at %s:%u knows no master '%s'", at->host,
                 at->port, r->target.master);
    }
    if (reply)
        freeReplyObject(reply);
    redis_link_close(&r->sentinel);
    return found;
}

static void find_master(struct redis *r, int64_t until_ms)
{
    int64_t now = clock_monotonic_ms();
    if (r->loaded_ms && now - r->loaded_ms < RELOAD_AGAIN_MS)
        return;
    r->loaded_ms = now;
    for (size_t i = 0; i < r->target.n_seeds && clock_monotonic_ms() < until_ms; i++) {
        if (ask_sentinel(r, &r->target.seeds[(i + r->turn) % r->target.n_seeds], until_ms)) {
            r->slots_known = true;
            return;
        }
    }
    r->turn++;
}

/* --- running ---------------------------------------------------------------------- */

static void learn_servers(struct redis *r, int64_t until_ms)
{
    if (r->slots_known)
        return;
    int64_t now = clock_monotonic_ms();
    until_ms = now + (until_ms - now) / 2; /* the rest is for the commands */
    if (r->target.kind == REDIS_SENTINEL)
        find_master(r, until_ms);
    else if (r->is_cluster)
        load_slots(r, until_ms);
}

static struct redis_link *choose(struct redis *r, const struct redis_command *c)
{
    if (c->link)
        return c->link; /* as MOVED or ASK said */
    if (r->target.kind == REDIS_SINGLE && !r->is_cluster)
        return r->links[0];
    uint16_t l = r->slots[c->key_at ? slot_of(c->args[c->key_at], c->lens[c->key_at]) : 0];
    if (l != NO_LINK)
        return r->links[l];
    return r->n_links ? r->links[r->turn % r->n_links] : NULL;
}

static void append(struct redis *r, struct redis_command *c, int64_t until_ms)
{
    c->link = choose(r, c);
    if (!c->link || !ready(r, c->link, until_ms))
        return;
    if (c->asking)
        redisAppendCommand(c->link->context, "ASKING");
    redisAppendCommandArgv(c->link->context, c->n_args, c->args, c->lens);
    c->link->appended++;
}

/* "MOVED 3999 127.0.0.1:6381": the command goes there next. */
static bool follow(struct redis *r, struct redis_command *c)
{
    const char *text = c->reply->str;
    bool moved = strncmp(text, "MOVED ", 6) == 0, ask = strncmp(text, "ASK ", 4) == 0;
    if (!moved && !ask)
        return false;
    const char *at = strrchr(text, ' ') + 1, *colon = strrchr(at, ':');
    struct redis_address address = {0};
    if (!colon || (size_t)(colon - at) >= sizeof(address.host))
        return false;
    memcpy(address.host, at, (size_t)(colon - at));
    if (colon == at)
        memcpy(address.host, c->link->address.host, sizeof(address.host));
    address.port = (uint16_t)atoi(colon + 1);
    struct redis_link *l = find_link(r, &address);
    if (!l)
        return false;
    if (moved) {
        r->is_cluster = true;
        r->slots[slot_of(c->args[c->key_at], c->lens[c->key_at])] = link_number(r, l);
    }
    c->link = l;
    c->asking = ask;
    return true;
}

/* Errors that mean "not this server, not now": as good as no answer. */
static bool is_wrong_server(const char *text)
{
    static const char *const begins[] = {"READONLY", "LOADING", "CLUSTERDOWN", "MASTERDOWN",
                                         "TRYAGAIN"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (strncmp(text, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static void receive(struct redis *r, struct redis_command *c, int64_t until_ms)
{
    struct redis_link *l = c->link;
    if (c->asking && l->error == 0) {
        redisReply *ignored = redis_link_receive(l, until_ms, r->why, sizeof(r->why));
        if (ignored)
            freeReplyObject(ignored);
    }
    if (l->error == 0)
        c->reply = redis_link_receive(l, until_ms, r->why, sizeof(r->why));
    if (!c->reply)
        return;
    if (c->reply->type == REDIS_REPLY_ERROR && is_wrong_server(c->reply->str)) {
        snprintf(r->why, sizeof(r->why), "Redis at %.255s:%u: %.200s", l->address.host,
                 l->address.port, c->reply->str);
        l->error = -EBUSY;
        freeReplyObject(c->reply);
        c->reply = NULL;
        return;
    }
    c->is_done = true;
    if (c->reply->type == REDIS_REPLY_ERROR && follow(r, c)) {
        freeReplyObject(c->reply);
        c->reply = NULL;
        c->is_done = false;
    }
}

/* One pipeline to each server. Which servers failed is in their `error`. */
static void run_round(struct redis *r, struct redis_command *c, size_t n, int64_t until_ms)
{
    for (size_t i = 0; i < n; i++)
        if (!c[i].is_done)
            append(r, &c[i], until_ms);
    for (size_t i = 0; i < r->n_links; i++)
        if (r->links[i]->appended && r->links[i]->error == 0)
            redis_link_flush(r->links[i], until_ms, r->why, sizeof(r->why));
    for (size_t i = 0; i < n; i++)
        if (!c[i].is_done && c[i].link && c[i].link->appended && c[i].link->error == 0)
            receive(r, &c[i], until_ms);
    for (size_t i = 0; i < r->n_links; i++)
        settle(r, r->links[i]);
}

static int outcome(const struct redis_command *c, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n; i++)
        if (!c[i].is_done)
            r = c[i].link ? c[i].link->error : -EAGAIN;
    return r;
}

static bool all_done(const struct redis_command *c, size_t n)
{
    while (n > 0 && c[n - 1].is_done)
        n--;
    return n == 0;
}

int redis_run(struct redis *r, struct redis_command *commands, size_t n, int64_t timeout_ms)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    for (size_t i = 0; i < n; i++) {
        commands[i].reply = NULL;
        commands[i].link = NULL;
        commands[i].asking = commands[i].is_done = false;
    }
    for (size_t i = 0; i < r->n_links; i++)
        r->links[i]->error = 0;
    learn_servers(r, until_ms);
    for (int round = 0; round < ROUNDS_MAX && !all_done(commands, n); round++)
        run_round(r, commands, n, until_ms);
    int result = outcome(commands, n);
    return result == 0 && !all_done(commands, n) ? -ELOOP : result;
}

void redis_free_replies(struct redis_command *commands, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (commands[i].reply)
            freeReplyObject(commands[i].reply);
        commands[i].reply = NULL;
    }
}
