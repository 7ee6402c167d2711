/* Nodes of a cluster in one process, at the real Redis that `tests/run` has started
 * (WARMPATH_TEST_REDIS); each test with a secret, and so with names, of its own. */
#ifndef WARMPATH_TESTS_INDEX_NODES_H
#define WARMPATH_TESTS_INDEX_NODES_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "common/clock.h"
#include "fetch/index_internal.h"
#include "fetch/redis.h"

struct probe {
    struct index_want want;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int answers;
    enum index_answer answer;
};

static inline void on_answer(struct index_want *w, enum index_answer a)
{
    struct probe *p = (struct probe *)(void *)((char *)w - offsetof(struct probe, want));
    pthread_mutex_lock(&p->lock);
    p->answers++;
    p->answer = a;
    pthread_cond_signal(&p->cond);
    pthread_mutex_unlock(&p->lock);
}

static inline bool holds_nothing(void *user, const struct index_block *b)
{
    (void)user;
    (void)b;
    return false;
}

static atomic_int times_told;

static inline void tells_nothing(void *user)
{
    (void)user;
    atomic_fetch_add(&times_told, 1);
}

static atomic_int times_told_more;

static inline void tells_no_more(void *user)
{
    (void)user;
    atomic_fetch_add(&times_told_more, 1);
}

static inline bool offers_all(void *user)
{
    (void)user;
    return true;
}

static inline struct index_config config_of(uint64_t node, uint8_t tenant)
{
    struct index_config c = {.node = node,
                             .holds = holds_nothing,
                             .offers = offers_all,
                             .tell_all = tells_nothing,
                             .tell_more = tells_no_more};
    char why[256];
    const char *url = getenv("WARMPATH_TEST_REDIS");
    if (!url)
        fail_msg("WARMPATH_TEST_REDIS is not set: run this through tests/run");
    assert_int_equal(redis_url_parse(url, &c.redis, why, sizeof(why)), 0);
    c.secret = (struct secret){.is_set = true, .key = {tenant}};
    snprintf(c.url, sizeof(c.url), "http://127.0.0.1:%d", (int)node);
    return c;
}

static inline struct index *join_zone(uint64_t node, uint8_t tenant, const char *zone)
{
    struct index_config c = config_of(node, tenant);
    snprintf(c.zone, sizeof(c.zone), "%s", zone);
    struct index *ix = index_new(&c);
    index_start(ix);
    return ix;
}

static inline struct index *join(uint64_t node, uint8_t tenant)
{
    return join_zone(node, tenant, "");
}

static inline struct probe *ask(struct index *ix, struct index_block what, int64_t wait_ms)
{
    struct probe *p = calloc(1, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->cond, NULL);
    p->want.what = what;
    p->want.want.is_demanded = true;
    p->want.want.wait_ms = wait_ms;
    want_start(&p->want.want, clock_monotonic_ms());
    p->want.answer = on_answer;
    index_want(ix, &p->want);
    return p;
}

static inline enum index_answer answer_of(struct probe *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->answers)
        pthread_cond_wait(&p->cond, &p->lock);
    assert_int_equal(p->answers, 1);
    pthread_mutex_unlock(&p->lock);
    return p->answer;
}

static inline void wait_for_nodes(struct index *ix, uint32_t n)
{
    struct index_status s;
    do {
        usleep(20000);
        index_status(ix, &s);
    } while (s.nodes != n);
}

/* --- what Redis has ------------------------------------------------------------------ */

/* One command to the same Redis, for what nobody else could see; the reply is the caller's. */
static inline redisReply *run(struct redis_command c)
{
    struct redis_target target;
    char why[256];
    assert_int_equal(redis_url_parse(getenv("WARMPATH_TEST_REDIS"), &target, why, sizeof(why)), 0);
    struct redis *r = redis_new(&target);
    c.key_at = 1;
    assert_int_equal(redis_run(r, &c, 1, 5000), 0);
    redis_free(r);
    return c.reply;
}

static inline void say(const char *key, uint64_t node, const char *value)
{
    struct redis_command c = {0};
    redis_arg(&c, "HSET", 4);
    redis_arg(&c, key, strlen(key));
    redis_arg(&c, &node, sizeof(node));
    redis_arg(&c, value, strlen(value));
    freeReplyObject(run(c));
}

static inline bool is_said(const char *key, uint64_t node)
{
    struct redis_command c = {0};
    redis_arg(&c, "HEXISTS", 7);
    redis_arg(&c, key, strlen(key));
    redis_arg(&c, &node, sizeof(node));
    redisReply *reply = run(c);
    bool is = reply->integer == 1;
    freeReplyObject(reply);
    return is;
}

static inline void forget(const char *key)
{
    struct redis_command c = {0};
    redis_arg(&c, "DEL", 3);
    redis_arg(&c, key, strlen(key));
    freeReplyObject(run(c));
}

static inline void wait_until_fine(struct index *ix)
{
    struct index_status s;
    do {
        usleep(20000);
        index_status(ix, &s);
    } while (s.state != INDEX_FINE);
}

static inline void segment_key_of(const struct index *ix, const struct index_block *b,
                                  char out[SEGMENT_KEY_SIZE])
{
    struct segment_id id = segment_id_of(b);
    segment_key(&ix->config.secret, &id, out);
}

#endif
