/* Commands to Redis, in whatever form it runs: one server, Sentinel, Cluster; TCP, TLS, Unix
 * socket. Over hiredis, 0.14 and later. One thread at a time; blocks it for as long as the caller
 * allows and no longer, but for the look-up of a host's name.
 *
 * A batch is sent as one pipeline to each server that it concerns. In a cluster a command goes to
 * the server of its first argument's slot (the key; the part in braces counts), MOVED and ASK are
 * followed, and the map of slots is loaded again when servers fail. Each server has a breaker: one
 * that doesn't answer is not waited for again and again. */
#ifndef WARMPATH_FETCH_REDIS_H
#define WARMPATH_FETCH_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/redis_url.h"

#define REDIS_ARGS_MAX 12

struct redis_command {
    /* in; arguments are borrowed until redis_run() returns */
    int n_args;
    int key_at; /* which argument names the slot; 1 for most, 0: any server will do */
    const char *args[REDIS_ARGS_MAX];
    size_t lens[REDIS_ARGS_MAX];
    /* out */
    redisReply *reply; /* NULL: none came; else the caller's to free, with redis_free_replies() */

    struct redis_link *link; /* redis.c's own, as are the next */
    bool asking, is_done;
};

struct redis;

/* Connects to nothing yet. Never NULL; -EPROTONOSUPPORT from redis_supports() comes first. */
struct redis *redis_new(const struct redis_target *target);
void redis_free(struct redis *r);

/* 0, or -EPROTONOSUPPORT with a sentence (TLS, where hiredis was built without). */
int redis_supports(const struct redis_target *target, char *why, size_t why_size);

/* Runs the commands and waits for all replies. 0 when every command has one (which may be an error
 * of Redis's own), else -errno of what went wrong last; what has a reply then has it all the same.
 * -EAGAIN: nothing was tried, breakers are open. */
int redis_run(struct redis *r, struct redis_command *commands, size_t n, int64_t timeout_ms);
void redis_free_replies(struct redis_command *commands, size_t n);

/* Why the last redis_run() failed, for people: server and cause. */
const char *redis_why(const struct redis *r);

/* Adds an argument. */
static inline void redis_arg(struct redis_command *c, const void *data, size_t len)
{
    c->args[c->n_args] = data;
    c->lens[c->n_args++] = len;
}

#endif
