/* One connection to one Redis server: connecting, logging in, sending and receiving with a
 * deadline. Owned by redis.c. */
#ifndef WARMPATH_FETCH_REDIS_LINK_H
#define WARMPATH_FETCH_REDIS_LINK_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "fetch/redis_url.h"
#include "policy/breaker.h"

struct redis_link {
    struct redis_address address;
    redisContext *context; /* NULL while not connected */
    struct breaker breaker;
    int error;       /* of the batch that runs; 0 so far */
    bool tried;      /* in the round that runs: the breaker waits for the outcome */
    size_t appended; /* commands of this round */
};

/* The address is that of redis_link.address; login and database come from the target. 0 or -errno
 * with a sentence. `is_sentinel`: log in with nothing. */
int redis_link_connect(struct redis_link *l, const struct redis_target *target, bool is_sentinel,
                       int64_t until_ms, char *why, size_t why_size);
void redis_link_close(struct redis_link *l);

/* User and password of the target. 0 or -errno, also when it is refused; 0 when there is none. */
int redis_link_log_in(struct redis_link *l, const struct redis_target *t, int64_t until_ms,
                      char *why, size_t why_size);

/* Sends what was appended to the context. 0 or -errno. */
int redis_link_flush(struct redis_link *l, int64_t until_ms, char *why, size_t why_size);

/* The next reply, or NULL with l->error set. */
redisReply *redis_link_receive(struct redis_link *l, int64_t until_ms, char *why, size_t why_size);

/* One command and its reply, for what redis.c asks on its own. */
redisReply *redis_link_ask(struct redis_link *l, int64_t until_ms, char *why, size_t why_size,
                           const char *command, const char *a, const char *b);

#endif
