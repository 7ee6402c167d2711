#include "fetch/redis_servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define RELOAD_AGAIN_MS 500

/* CRC-16/XMODEM over the part in braces, else all of it. Source: Redis Cluster specification. */
unsigned redis_slot(const char *key, size_t len)
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
    return crc & (REDIS_SLOTS - 1);
}

struct redis_link *redis_find_link(struct redis *r, const struct redis_address *address)
{
    for (size_t i = 0; i < r->n_links; i++)
        if (r->links[i]->address.port == address->port &&
            strcmp(r->links[i]->address.host, address->host) == 0)
            return r->links[i];
    if (r->n_links == REDIS_LINKS_MAX)
        return NULL;
    struct redis_link *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->address = *address;
    return r->links[r->n_links++] = l;
}

uint16_t redis_link_number(const struct redis *r, const struct redis_link *l)
{
    for (size_t i = 0; i < r->n_links; i++)
        if (r->links[i] == l)
            return (uint16_t)i;
    return REDIS_NO_LINK;
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
        struct redis_link *l = redis_find_link(r, &address);
        long long last = range->element[1]->integer;
        for (long long s = range->element[0]->integer; l && s >= 0 && s <= last && s < REDIS_SLOTS;
             s++)
            r->slots[s] = redis_link_number(r, l);
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
            redis_ready(r, l, until_ms)
                ? redis_link_ask(l, until_ms, r->why, sizeof(r->why), "CLUSTER", "SLOTS", NULL)
                : NULL;
        bool good = reply && read_slots(r, l, reply);
        if (reply)
            freeReplyObject(reply);
        redis_settle(r, l);
        if (good) {
            r->slots_known = true;
            return;
        }
    }
    r->turn++;
}

/* --- who is the master ------------------------------------------------------------ */

static redisReply *ask_for_master(struct redis *r, int64_t until_ms)
{
    return redis_link_ask(&r->sentinel, until_ms, r->why, sizeof(r->why), "SENTINEL",
                          "get-master-addr-by-name", r->target.master);
}

/* Most Sentinels want no password; one that does has the servers' own. */
static bool wants_password(const struct redis *r, const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOAUTH", 6) == 0 &&
           r->target.password[0];
}

static bool ask_sentinel(struct redis *r, const struct redis_address *at, int64_t until_ms)
{
    bool found = false;
    r->sentinel.address = *at;
    r->sentinel.error = 0;
    if (redis_link_connect(&r->sentinel, &r->target, true, until_ms, r->why, sizeof(r->why)) < 0)
        return false;
    redisReply *reply = ask_for_master(r, until_ms);
    if (wants_password(r, reply)) {
        freeReplyObject(reply);
        if (redis_link_log_in(&r->sentinel, &r->target, until_ms, r->why, sizeof(r->why)) < 0)
            return false;
        reply = ask_for_master(r, until_ms);
    }
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING &&
        strlen(reply->element[0]->str) < sizeof(at->host)) {
        struct redis_address master = {.port = (uint16_t)atoi(reply->element[1]->str)};
        memcpy(master.host, reply->element[0]->str, strlen(reply->element[0]->str) + 1);
        struct redis_link *l = redis_find_link(r, &master);
        if (l) {
            found = true;
            for (size_t s = 0; s < REDIS_SLOTS; s++)
                r->slots[s] = redis_link_number(r, l);
        }
    } else if (reply && reply->type == REDIS_REPLY_ERROR) {
        snprintf(r->why, sizeof(r->why), "Sentinel at %s:%u: %.200s", at->host, at->port,
                 reply->str);
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

void redis_learn_servers(struct redis *r, int64_t until_ms)
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
