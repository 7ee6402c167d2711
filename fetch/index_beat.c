/* Membership: a node's lease is renewed every BEAT_MS and holds for LEASE_MS by Redis's own clock,
 * so that the nodes' clocks need not agree. Who left its place a long time ago is removed by
 * whoever sees it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "fetch/index_internal.h"

#define DEAD_FOR_GOOD_MS 3600000
#define SWEEP_AT_ONCE    8

static struct redis_command command(const char *name, const char *key)
{
    struct redis_command c = {.key_at = key ? 1 : 0};
    redis_arg(&c, name, strlen(name));
    if (key)
        redis_arg(&c, key, strlen(key));
    return c;
}

static bool read_time(const redisReply *reply, int64_t *now_ms)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return false;
    *now_ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
              strtoll(reply->element[1]->str, NULL, 10) / 1000;
    return true;
}

struct beat {
    int64_t redis_ms, now_ms;
    int64_t alive_after_ms; /* whose lease ends later is there */
    bool found_self;
    char dead[SWEEP_AT_ONCE][sizeof(uint64_t)];
    int n_dead;
};

/* Where nobody's lease is renewed, those count that were there when the last one was. */
static int64_t alive_after(const redisReply *all, int64_t redis_ms)
{
    struct member m;
    int64_t newest_ms = 0, expires_ms;
    for (size_t i = 1; i < all->elements; i += 2) {
        const redisReply *value = all->element[i];
        if (value->type == REDIS_REPLY_STRING &&
            member_parse(value->str, (size_t)value->len, &expires_ms, &m) && expires_ms > newest_ms)
            newest_ms = expires_ms;
    }
    if (newest_ms + DEAD_FOR_GOOD_MS < redis_ms)
        return redis_ms;
    return (newest_ms < redis_ms ? newest_ms : redis_ms) - LEASE_MS;
}

/* With the lock. */
static void take_member(struct index *ix, const redisReply *field, const redisReply *value,
                        struct beat *beat)
{
    struct member m;
    int64_t expires_ms;
    uint64_t node;
    if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
        field->len != sizeof(node))
        return;
    memcpy(&node, field->str, sizeof(node));
    bool readable = member_parse(value->str, (size_t)value->len, &expires_ms, &m);
    if (node == ix->config.node) {
        beat->found_self = true;
    } else if (readable && expires_ms > beat->alive_after_ms) {
        m.node = node;
        if (!members_put(&ix->members, &m, ix->config.zone))
            members_listed(&ix->members, node, beat->now_ms); /* too many, but there */
    } else {
        members_listed(&ix->members, node, beat->now_ms);
        if ((!readable || expires_ms + DEAD_FOR_GOOD_MS < beat->redis_ms) &&
            beat->n_dead < SWEEP_AT_ONCE)
            memcpy(beat->dead[beat->n_dead++], field->str, sizeof(node));
    }
}

static void announce_again(struct index *ix)
{
    struct segment *s, *next;
    HASH_ITER(hh, ix->segments, s, next)
    {
        s->dirty = s->own_known;
        s->kept_ms = 0;
        index_queue(ix, s);
    }
}

/* Redis forgot us: it was emptied, or another took its place, or we were away for long. What we
 * had announced may be gone, or removed in a moment by a node that has not heard of us yet. With
 * the lock. */
static void come_back(struct index *ix, int64_t now_ms)
{
    if (ix->was_member)
        log_info("index", "Redis has lost what it knew: announcing the blocks of this node again");
    announce_again(ix);
    if (!ix->was_member || now_ms - ix->beat_ms > MEMBERS_FORGOTTEN_MS)
        ix->again_ms = now_ms + LEASE_MS;
}

static bool take_answer(struct index *ix, const struct redis_command *c, struct beat *beat)
{
    const redisReply *all = c[1].reply;
    if (index_note_error(ix, c[0].reply) || index_note_error(ix, all))
        return false;
    if (!read_time(c[0].reply, &beat->redis_ms) || all->type != REDIS_REPLY_ARRAY) {
        index_set_state(ix, INDEX_AWAY, "Redis answers, but not what it was asked");
        return false;
    }
    beat->now_ms = clock_monotonic_ms();
    beat->alive_after_ms = ix->is_refused ? alive_after(all, beat->redis_ms) : beat->redis_ms;
    ix->redis_ahead_ms = beat->redis_ms - beat->now_ms;
    pthread_mutex_lock(&ix->lock);
    if (!ix->is_refused)
        members_all_dead(&ix->members);
    for (size_t i = 0; i + 1 < all->elements; i += 2)
        take_member(ix, all->element[i], all->element[i + 1], beat);
    members_sweep(&ix->members, beat->now_ms);
    if (!beat->found_self)
        come_back(ix, beat->now_ms);
    else if (ix->again_ms && beat->now_ms >= ix->again_ms)
        announce_again(ix);
    if (beat->now_ms >= ix->again_ms)
        ix->again_ms = 0;
    ix->beat_ms = beat->now_ms;
    ix->wants_beat = false;
    ix->crowd = 0;
    pthread_mutex_unlock(&ix->lock);
    return true;
}

static bool renew(struct index *ix, const struct beat *beat)
{
    char value[MEMBER_URL_MAX + MEMBER_ZONE_MAX + 32];
    bool offered = ix->config.url[0] && ix->config.offers(ix->config.user);
    int len = member_format(value, sizeof(value), beat->redis_ms + LEASE_MS,
                            offered ? ix->config.url : "", ix->config.zone);
    struct redis_command c[] = {command("HSET", ix->nodes_key), command("EXPIRE", ix->nodes_key),
                                command("HDEL", ix->nodes_key)};
    redis_arg(&c[0], &ix->config.node, sizeof(ix->config.node));
    redis_arg(&c[0], value, len > 0 ? (size_t)len : 0);
    redis_arg(&c[1], "604800", 6);
    for (int i = 0; i < beat->n_dead; i++)
        redis_arg(&c[2], beat->dead[i], sizeof(beat->dead[i]));
    size_t n = beat->n_dead ? 3 : 2;
    bool answered = index_call(ix, c, n) == 0;
    ix->is_refused = answered && index_note_error(ix, c[0].reply);
    bool good = answered && !ix->is_refused;
    if (good)
        atomic_store(&ix->is_offered, offered);
    redis_free_replies(c, n);
    return good;
}

#define ALLOWED 3

/* What is needed besides, tried on a key of nobody's that is gone at once: rather than to write
 * keys that may not be given an end, or to be refused again with each block. Scripts may be
 * forbidden: locks expire. */
static void add_allowed(struct redis_command c[ALLOWED], const char *key)
{
    static const char *const names[ALLOWED] = {"HDEL", "EXPIRE", "SET"};
    for (int i = 0; i < ALLOWED; i++) {
        c[i] = command(names[i], key);
        redis_arg(&c[i], "1", 1);
    }
    redis_arg(&c[2], "PX", 2);
    redis_arg(&c[2], "1", 1);
}

static bool is_allowed(struct index *ix, const struct redis_command *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (index_note_error(ix, c[i].reply))
            return false;
    return true;
}

void index_beat(struct index *ix)
{
    char key[sizeof(ix->token) + 8];
    struct redis_command c[2 + ALLOWED] = {command("TIME", NULL),
                                           command("HGETALL", ix->nodes_key)};
    struct beat beat = {0};
    size_t tries = ix->state == INDEX_FINE ? 0 : ALLOWED;
    snprintf(key, sizeof(key), "w{%s}p", ix->token);
    add_allowed(c + 2, key);
    bool answered = index_call(ix, c, 2 + tries) == 0;
    bool allowed = answered && is_allowed(ix, c + 2, tries);
    ix->is_refused |= answered && !allowed;
    answered = answered && take_answer(ix, c, &beat);
    redis_free_replies(c, 2 + tries);
    if (!answered)
        return;
    ix->is_refused = !allowed;
    if (tries) /* nor may others have been able to renew their leases */
        beat.n_dead = 0;
    if (!allowed || !renew(ix, &beat))
        return;
    ix->was_member = true;
    index_set_state(ix, INDEX_FINE, "");
    if (!beat.found_self)
        ix->config.tell_all(ix->config.user);
}

/* The lease is over, but the node stays in the list: should it be back within the hour, all that it
 * has announced is still there. */
void index_leave(struct index *ix)
{
    char value[MEMBER_ZONE_MAX + 32];
    int len = member_format(value, sizeof(value), clock_monotonic_ms() + ix->redis_ahead_ms, "",
                            ix->config.zone);
    struct redis_command c = command("HSET", ix->nodes_key);
    redis_arg(&c, &ix->config.node, sizeof(ix->config.node));
    redis_arg(&c, value, len > 0 ? (size_t)len : 0);
    index_call(ix, &c, 1);
    redis_free_replies(&c, 1);
}

int index_call(struct index *ix, struct redis_command *commands, size_t n)
{
    int r = redis_run(ix->redis, commands, n, INDEX_TIMEOUT_MS);
    atomic_fetch_add(&ix->round_trips, 1);
    atomic_fetch_add(&ix->commands, n);
    if (r < 0 && r != -EAGAIN)
        index_set_state(ix, r == -EACCES ? INDEX_REFUSED : INDEX_AWAY, redis_why(ix->redis));
    else if (r == -EAGAIN && index_usable(ix))
        index_set_state(ix, INDEX_AWAY, redis_why(ix->redis));
    return r;
}

bool index_note_error(struct index *ix, const redisReply *reply)
{
    char why[200];
    if (!reply || reply->type != REDIS_REPLY_ERROR)
        return !reply;
    const char *text = reply->str;
    bool full = strncmp(text, "OOM", 3) == 0 || strncmp(text, "MISCONF", 7) == 0;
    bool refused = strncmp(text, "NOPERM", 6) == 0 || strncmp(text, "NOAUTH", 6) == 0;
    snprintf(why, sizeof(why), "Redis %s: %.150s",
             full      ? "takes no more"
             : refused ? "refuses us"
                       : "answers with an error",
             text);
    index_set_state(ix, full ? INDEX_FULL : refused ? INDEX_REFUSED : INDEX_AWAY, why);
    return true;
}
