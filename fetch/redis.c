#include "fetch/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "fetch/redis_servers.h"

#define ROUNDS_MAX 4 /* a command that is sent on and on is given up */

static const struct breaker_rules link_rules = {
    .failures = 2, .open_ms = 500, .open_max_ms = 10000};

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
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        r->slots[i] = REDIS_NO_LINK;
    for (size_t i = 0; target->kind != REDIS_SENTINEL && i < target->n_seeds; i++)
        redis_find_link(r, &target->seeds[i]);
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

bool redis_ready(struct redis *r, struct redis_link *l, int64_t until_ms)
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

/* Tells the breaker how the attempt that redis_ready() began has ended. */
void redis_settle(struct redis *r, struct redis_link *l)
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

/* --- running ---------------------------------------------------------------------- */

static struct redis_link *choose(struct redis *r, const struct redis_command *c)
{
    if (c->link)
        return c->link; /* as MOVED or ASK said */
    if (r->target.kind == REDIS_SINGLE && !r->is_cluster)
        return r->links[0];
    uint16_t l = r->slots[c->key_at ? redis_slot(c->args[c->key_at], c->lens[c->key_at]) : 0];
    if (l != REDIS_NO_LINK)
        return r->links[l];
    return r->n_links ? r->links[r->turn % r->n_links] : NULL;
}

static void append(struct redis *r, struct redis_command *c, int64_t until_ms)
{
    c->link = choose(r, c);
    if (!c->link || !redis_ready(r, c->link, until_ms))
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
    struct redis_link *l = redis_find_link(r, &address);
    if (!l)
        return false;
    if (moved) {
        r->is_cluster = true;
        r->slots[redis_slot(c->args[c->key_at], c->lens[c->key_at])] = redis_link_number(r, l);
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
        redis_settle(r, r->links[i]);
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
    redis_learn_servers(r, until_ms);
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
