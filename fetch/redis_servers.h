/* Which servers there are, and which of them is asked for what: a single one, the master that
 * Sentinel names, or by slot in a cluster. redis.c and redis_servers.c share this; nobody else
 * includes it. */
#ifndef WARMPATH_FETCH_REDIS_SERVERS_H
#define WARMPATH_FETCH_REDIS_SERVERS_H

#include "fetch/redis.h"
#include "fetch/redis_link.h"

#define REDIS_SLOTS     16384
#define REDIS_LINKS_MAX 256
#define REDIS_NO_LINK   0xffff

struct redis {
    struct redis_target target;
    bool is_cluster; /* told so, or found out by MOVED */
    bool slots_known;
    int64_t loaded_ms; /* slots, or the master's address: last try */
    size_t n_links;
    struct redis_link *links[REDIS_LINKS_MAX];
    struct redis_link sentinel; /* while asking one */
    uint16_t slots[REDIS_SLOTS];
    uint64_t turn;
    char why[600];
};

/* The slot of a key in a cluster: of the part in braces, else of all of it. */
unsigned redis_slot(const char *key, size_t len);

/* The link to this address, made where there is none; NULL: too many. */
struct redis_link *redis_find_link(struct redis *r, const struct redis_address *address);
/* Its place among all, for the table of slots. */
uint16_t redis_link_number(const struct redis *r, const struct redis_link *l);

/* Connected and allowed to be used; else the link's `error` says why. */
bool redis_ready(struct redis *r, struct redis_link *l, int64_t until_ms);
/* Tells the breaker how the attempt that redis_ready() began has ended. */
void redis_settle(struct redis *r, struct redis_link *l);

/* Asks who serves what, where that isn't known; takes at most half of the time that is left. */
void redis_learn_servers(struct redis *r, int64_t until_ms);

#endif
