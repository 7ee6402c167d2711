/* WARMPATH_REDIS: where Redis is. Pure.
 *
 *   redis://[[user]:password@]host[:port][/db]          one server
 *   rediss://…                                          the same over TLS
 *   unix://[[user]:password@]/path/to/socket[?db=N]
 *   redis://host1:port,host2:port,…                     a Redis Cluster, any of its nodes
 *   redis+sentinel://[[user]:password@]host1[:port],host2…/master-name[/db]
 *
 * User and password may be percent-encoded; they stand at the first host of several. Each of
 * several may repeat its scheme. IPv6 addresses stand in brackets. */
#ifndef WARMPATH_FETCH_REDIS_URL_H
#define WARMPATH_FETCH_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDIS_SEEDS_MAX 32

enum redis_kind { REDIS_SINGLE, REDIS_CLUSTER, REDIS_SENTINEL };

struct redis_address {
    char host[256]; /* a path where the port is 0 */
    uint16_t port;
};

struct redis_target {
    enum redis_kind kind;
    bool tls;
    char user[128]; /* empty: the default user */
    char password[512];
    char master[128]; /* SENTINEL */
    uint32_t db;
    size_t n_seeds;
    struct redis_address seeds[REDIS_SEEDS_MAX];
};

/* 0, or -EINVAL with a sentence that says what is wrong and never holds the password. */
int redis_url_parse(const char *text, struct redis_target *out, char *why, size_t why_size);

/* "host:port" or the path, for people. */
void redis_address_text(const struct redis_address *a, char *out, size_t size);

#endif
