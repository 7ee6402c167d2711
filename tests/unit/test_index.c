/* fetch/index: what it says in Redis (segments, members, names), and how it behaves against a real
 * Redis, which `tests/run` has started (WARMPATH_TEST_REDIS). */
#include <setjmp.h>
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
#include "fetch/members.h"
#include "fetch/redis.h"

/* --- segments ---------------------------------------------------------------------- */

static struct segment *make_segment(struct segment **table, uint64_t block, uint64_t blocks)
{
    static const struct secret secret;
    struct index_block b = {.version = {7}, .block = block, .blocks = blocks};
    return segment_get(table, &b, &secret);
}

static void test_own_blocks(void **state)
{
    struct segment *table = NULL;
    uint8_t value[SEGMENT_BYTES];
    (void)state;
    struct segment *s = make_segment(&table, 600, 700); /* the second of two: 188 blocks */
    assert_int_equal(s->n_blocks, 188);
    assert_int_equal(segment_encode_own(s, value), -1); /* nothing: no field */
    segment_set_own(s, 512, true);
    assert_true(s->dirty);
    assert_int_equal(segment_encode_own(s, value), 1); /* no zeros at the end */
    assert_int_equal(value[0], 1);
    segment_set_own(s, 699, true);
    assert_int_equal(segment_encode_own(s, value), 24);
    segment_set_own(s, 700, true); /* no such block */
    for (uint64_t b = 512; b < 700; b++)
        segment_set_own(s, b, true);
    assert_int_equal(segment_encode_own(s, value), 0); /* all of them */
    for (uint64_t b = 512; b < 700; b++)
        segment_set_own(s, b, false);
    s->own_reads = true;
    assert_int_equal(segment_encode_own(s, value), 1);
    assert_int_equal(value[0], 0);
    segment_free_all(&table);
}

static void test_view(void **state)
{
    static const uint8_t some[] = {0x05}, lies[100] = {0xff, 0xff};
    const struct segment_value values[] = {
        {1, some, 1}, {2, NULL, 0}, {3, some, 1}, {4, lies, 100}};
    struct segment *table = NULL;
    (void)state;
    struct segment *s = make_segment(&table, 0, 20);
    segment_set_view(s, values, 4, 3, 1000); /* 3 is ourselves */
    assert_int_equal(s->n_holders, 3);
    assert_true(segment_holds(s, 0, 0) && !segment_holds(s, 0, 1) && segment_holds(s, 0, 2));
    assert_true(segment_holds(s, 1, 19));
    assert_false(segment_holds(s, 1, 20));
    assert_true(segment_holds(s, 2, 15) && !segment_holds(s, 2, 16));
    segment_forget(s, 2, 19);
    assert_false(segment_holds(s, 1, 19));
    segment_free_all(&table);
}

static void test_table_is_bounded(void **state)
{
    struct segment *table = NULL;
    (void)state;
    for (uint64_t i = 0; i < SEGMENTS_MAX + 100; i++)
        make_segment(&table, i * SEGMENT_BLOCKS, UINT64_C(1) << 40);
    make_segment(&table, 0, UINT64_C(1) << 40); /* used last: stays */
    segment_trim(&table);
    assert_int_equal(HASH_COUNT(table), SEGMENTS_MAX);
    uint8_t version[INDEX_VERSION_BYTES] = {7};
    assert_non_null(segment_find(table, version, 0));
    assert_null(segment_find(table, version, 1));
    segment_free_all(&table);
}

static void test_names_need_the_secret(void **state)
{
    struct secret a = {.is_set = true, .key = {1}}, b = {.is_set = true, .key = {2}};
    const uint8_t version[INDEX_VERSION_BYTES] = {9};
    char one[INDEX_TAG_SIZE], two[INDEX_TAG_SIZE], key[SECRET_LINK_SIZE], other[SECRET_LINK_SIZE];
    (void)state;
    segment_tag(&a, version, one);
    segment_tag(&b, version, two);
    assert_int_equal(strlen(one), 19);
    assert_string_not_equal(one, two);
    secret_link_key(&a, key);
    secret_link_key(&b, other);
    assert_string_not_equal(key, other);
    assert_null(strstr(key, one + 2));
}

/* As nginx computes it: base64url of MD5("1700000000/blocks/x KEY"), checked with openssl(1). */
static void test_signature(void **state)
{
    char args[SECRET_LINK_ARGS];
    (void)state;
    secret_link_args("KEY", "/blocks/x", 1700000000, args);
    assert_string_equal(args, "t=TpVISUdn1oLGmJYC4gYrIQ&e=1700000000");
}

/* --- members ----------------------------------------------------------------------- */

static void test_strangers(void **state)
{
    struct members all = {0};
    struct member m = {.node = 7};
    (void)state;
    assert_int_equal(members_met(&all, 5, 100), 100);
    assert_int_equal(members_met(&all, 5, 200), 100);
    members_put(&all, &m, "");
    members_all_dead(&all);
    members_sweep(&all, 1000);
    assert_null(members_find(&all, 7));
    assert_int_equal(members_met(&all, 7, 300), 0); /* it was one */
    members_put(&all, &m, "");
    members_find(&all, 7)->asked = 1;
    members_all_dead(&all);
    members_sweep(&all, 1000); /* somebody still asks it */
    assert_non_null(members_find(&all, 7));
    m.node = 5;
    members_put(&all, &m, "");
    members_all_dead(&all);
    members_sweep(&all, 1000);
    assert_int_equal(members_met(&all, 5, 400), 0);
    for (uint64_t node = 1000; node < 30000; node++)
        members_met(&all, node, 500);
    assert_int_equal(members_met(&all, 29999, 600), 500);
    members_free(&all);
}

static void test_the_forgotten(void **state)
{
    enum { LATER = MEMBERS_FORGOTTEN_MS + 2 };
    struct members all = {0};
    struct member m = {.node = 7};
    (void)state;
    assert_false(members_forgotten(&all, 5, LATER)); /* never heard of */
    members_listed(&all, 6, 1);
    assert_false(members_forgotten(&all, 6, LATER)); /* nobody says that it holds anything */
    members_met(&all, 5, 1);
    members_met(&all, 6, 1);
    assert_false(members_forgotten(&all, 5, LATER - 1));
    assert_true(members_forgotten(&all, 5, LATER));
    members_listed(&all, 6, LATER);
    assert_false(members_forgotten(&all, 6, 2 * LATER - 2));
    assert_true(members_forgotten(&all, 6, 2 * LATER));
    members_put(&all, &m, "");
    members_all_dead(&all);
    members_sweep(&all, LATER); /* it was in the list before: a list that was lost, maybe */
    members_met(&all, 7, LATER);
    assert_false(members_forgotten(&all, 7, 2 * LATER - 2));
    assert_true(members_forgotten(&all, 7, 2 * LATER));
    members_put(&all, &m, "");
    assert_false(members_forgotten(&all, 7, 2 * LATER));
    members_free(&all);
}

static void test_member_lines(void **state)
{
    static const char *const bad[] = {"", "x", "12", "12 url", "12 url zone more", "-", "12x u z"};
    char line[512];
    struct member m;
    int64_t expires;
    (void)state;
    int len = member_format(line, sizeof(line), 123, "http://a:1", "eu/a");
    assert_true(member_parse(line, (size_t)len, &expires, &m));
    assert_int_equal(expires, 123);
    assert_string_equal(m.url, "http://a:1");
    assert_string_equal(m.zone, "eu/a");
    len = member_format(line, sizeof(line), 5, "", "");
    assert_true(member_parse(line, (size_t)len, &expires, &m));
    assert_true(!m.url[0] && !m.zone[0]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (member_parse(bad[i], strlen(bad[i]), &expires, &m))
            fail_msg("'%s' is taken", bad[i]);
    assert_false(member_parse("1 u\0x z", 7, &expires, &m));
}

static void test_members(void **state)
{
    struct members all = {0};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct member m = {.node = i * 7919 % 100, .url = "http://a", .zone = "z"};
        members_put(&all, &m, "z");
    }
    assert_int_equal(all.n, 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(members_find(&all, i)->node, i);
    struct member *m = members_find(&all, 5);
    m->avoid_until_ms = 1000;
    assert_false(member_usable(m, 999));
    assert_true(member_usable(m, 1000));
    struct member moved = {.node = 5, .url = "http://b"};
    members_put(&all, &moved, ""); /* another server: nothing bad is known of it */
    assert_true(member_usable(members_find(&all, 5), 0));
    members_all_dead(&all);
    members_find(&all, 7)->asked = 1;
    members_put(&all, &moved, "");
    members_sweep(&all, 1000);
    assert_int_equal(all.n, 2); /* the living one, and one that still owes an answer */
    assert_false(member_usable(members_find(&all, 7), 0));
    members_free(&all);
}

/* --- with a real Redis --------------------------------------------------------------- */

struct probe {
    struct index_want want;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int answers;
    enum index_answer answer;
};

static void on_answer(struct index_want *w, enum index_answer a)
{
    struct probe *p = (struct probe *)(void *)((char *)w - offsetof(struct probe, want));
    pthread_mutex_lock(&p->lock);
    p->answers++;
    p->answer = a;
    pthread_cond_signal(&p->cond);
    pthread_mutex_unlock(&p->lock);
}

static bool holds_nothing(void *user, const struct index_block *b)
{
    (void)user;
    (void)b;
    return false;
}

static int times_told;

static void tells_nothing(void *user)
{
    (void)user;
    times_told++;
}

static bool offers_all(void *user)
{
    (void)user;
    return true;
}

static struct index *join_zone(uint64_t node, uint8_t tenant, const char *zone)
{
    struct index_config c = {
        .node = node, .holds = holds_nothing, .offers = offers_all, .tell_all = tells_nothing};
    char why[256];
    const char *url = getenv("WARMPATH_TEST_REDIS");
    if (!url)
        fail_msg("WARMPATH_TEST_REDIS is not set: run this through tests/run");
    assert_int_equal(redis_url_parse(url, &c.redis, why, sizeof(why)), 0);
    c.secret = (struct secret){.is_set = true, .key = {tenant}};
    snprintf(c.url, sizeof(c.url), "http://127.0.0.1:%d", (int)node);
    snprintf(c.zone, sizeof(c.zone), "%s", zone);
    struct index *ix = index_new(&c);
    index_start(ix);
    return ix;
}

static struct index *join(uint64_t node, uint8_t tenant)
{
    return join_zone(node, tenant, "");
}

static struct probe *ask(struct index *ix, struct index_block what, int64_t wait_ms)
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

static enum index_answer answer_of(struct probe *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->answers)
        pthread_cond_wait(&p->cond, &p->lock);
    assert_int_equal(p->answers, 1);
    pthread_mutex_unlock(&p->lock);
    return p->answer;
}

static void wait_for_nodes(struct index *ix, uint32_t n)
{
    struct index_status s;
    do {
        usleep(20000);
        index_status(ix, &s);
    } while (s.nodes != n);
}

/* `a` announces the block, and `b`, who knows nobody else, asks for it. */
static struct probe *ask_holder(struct index *a, struct index *b, struct index_block block)
{
    wait_for_nodes(b, 1);
    index_publish(a, &block);
    struct probe *p = ask(b, block, 60000);
    while (answer_of(p) == INDEX_YOURS) { /* it asked before the block was announced */
        index_fetched(b, &p->want, false, 1);
        free(p);
        p = ask(b, block, 60000);
    }
    return p;
}

/* A holder that is busy is asked again in a moment, and its block not fetched from the origin. */
static void test_a_busy_holder_is_waited_for(void **state)
{
    struct index *a = join(1, 103), *b = join(2, 103);
    struct index_block block = {.version = {7, 7}, .block = 1, .blocks = 600};
    struct index_peer peer;
    (void)state;
    struct probe *p = ask_holder(a, b, block);
    for (int i = 0; i < 2 * INDEX_TRIES; i++) {
        assert_true(index_take_peer(b, &p->want, &peer));
        index_give_peer(b, &p->want, &peer, PEER_BUSY, "");
        assert_false(index_take_peer(b, &p->want, &peer));
        assert_true(index_may_hold(b, &block));
        free(p);
        p = ask(b, block, 60000);
        assert_int_equal(answer_of(p), INDEX_PEER);
    }
    index_free(a);
    index_free(b);
    free(p);
}

static enum index_answer ask_again(struct index *ix, struct probe *p)
{
    p->answers = 0;
    index_want(ix, &p->want);
    return answer_of(p);
}

/* The only holder is silent, but its system takes connections: it is slow, and its block not
 * fetched from the origin; once. One that is not there is waited for no longer. */
static void test_a_slow_holder_is_waited_for(void **state)
{
    struct index *a = join(1, 105), *b = join(2, 105);
    struct index_block block = {.version = {9, 7}, .block = 1, .blocks = 600};
    struct index_peer peer;
    (void)state;
    struct probe *p = ask_holder(a, b, block);
    assert_true(index_take_peer(b, &p->want, &peer));
    assert_true(peer.is_only);
    peer.is_only = false; /* as if another one had had it, too */
    peer.was_silent = peer.was_reachable = true;
    index_give_peer(b, &p->want, &peer, PEER_FAILED, "silent");
    assert_false(index_take_peer(b, &p->want, &peer));
    assert_true(index_may_hold(b, &block));
    assert_int_equal(ask_again(b, p), INDEX_PEER); /* once it may be asked again */

    assert_true(index_take_peer(b, &p->want, &peer));
    peer.was_silent = true;
    peer.was_reachable = false;
    index_give_peer(b, &p->want, &peer, PEER_FAILED, "gone");
    assert_int_equal(ask_again(b, p), INDEX_YOURS);
    index_fetched(b, &p->want, false, 1);
    index_free(a);
    index_free(b);
    free(p);
}

/* One of two gets the lock; the other is sent to it once it has the block, or may go on when it
 * failed. */
static void test_one_fetches_the_other_waits(void **state)
{
    struct index *a = join(1, 101), *b = join(2, 101);
    struct index_block block = {.version = {1, 2, 3}, .block = 5, .blocks = 600};
    struct index_peer peer;
    (void)state;
    wait_for_nodes(a, 1);
    wait_for_nodes(b, 1);
    struct probe *first = ask(a, block, 60000);
    assert_int_equal(answer_of(first), INDEX_YOURS);
    struct probe *second = ask(b, block, 60000);
    usleep(100000);
    assert_int_equal(second->answers, 0);
    index_publish(a, &block);
    index_fetched(a, &first->want, true, 1);
    assert_int_equal(answer_of(second), INDEX_PEER);
    assert_true(index_take_peer(b, &second->want, &peer));
    assert_int_equal(peer.node, 1);
    assert_false(index_take_peer(b, &second->want, &peer)); /* each is asked once */
    index_give_peer(b, &second->want, &peer, PEER_GOOD, "");

    block.block = 6;
    struct probe *third = ask(a, block, 60000);
    assert_int_equal(answer_of(third), INDEX_YOURS);
    struct probe *fourth = ask(b, block, 60000);
    index_fetched(a, &third->want, false, 1);
    assert_int_equal(answer_of(fourth), INDEX_YOURS);
    index_fetched(b, &fourth->want, false, 1);

    block.block = 7; /* fetched, but kept where nobody gets it */
    struct probe *sixth = ask(a, block, 60000);
    assert_int_equal(answer_of(sixth), INDEX_YOURS);
    index_fetched(a, &sixth->want, true, 1);
    free(sixth);
    index_let_go(a, &block);
    sixth = ask(b, block, 60000);
    assert_int_equal(answer_of(sixth), INDEX_YOURS);
    index_fetched(b, &sixth->want, false, 1);
    free(sixth);

    block.block = 5; /* given up by its only holder: whoever comes now has to fetch it */
    index_withdraw(a, &block, 1, true);
    struct index *c = join(3, 101);
    struct probe *fifth = ask(c, block, 60000);
    assert_int_equal(answer_of(fifth), INDEX_YOURS);
    index_fetched(c, &fifth->want, false, 1);
    index_free(c);
    index_free(a);
    index_free(b);
    free(first);
    free(second);
    free(third);
    free(fourth);
    free(fifth);
}

/* A node has the lock of its zone, but got the block neither from the other zone nor from the
 * origin: the next one may try at once. */
static void test_a_zone_is_let_go(void **state)
{
    struct index *a = join_zone(1, 104, "r/a"), *b = join_zone(2, 104, "r/b"),
                 *c = join_zone(3, 104, "r/b");
    struct index_block block = {.version = {8, 8}, .block = 3, .blocks = 600};
    struct index_peer peer;
    (void)state;
    wait_for_nodes(b, 2);
    wait_for_nodes(c, 2);
    index_opened(b, block.version, block.blocks);
    index_opened(c, block.version, block.blocks);
    index_publish(a, &block);
    uint64_t readers[4];
    while (index_readers(b, block.version, readers, 4) < 2 ||
           index_readers(c, block.version, readers, 4) < 2) {
        index_opened(b, block.version, block.blocks);
        index_opened(c, block.version, block.blocks);
        usleep(20000);
    }
    struct probe *first = ask(b, block, 60000);
    assert_int_equal(answer_of(first), INDEX_PEER);
    assert_true(first->want.want.crosses);
    assert_true(index_take_peer(b, &first->want, &peer));
    index_give_peer(b, &first->want, &peer, PEER_MISSING, "");
    first->answers = 0;
    first->want.want.until_ms = clock_monotonic_ms();
    index_want(b, &first->want);
    assert_int_equal(answer_of(first), INDEX_ORIGIN);
    index_fetched(b, &first->want, false, 1);
    struct probe *second = ask(c, block, 5000);
    assert_int_equal(answer_of(second), INDEX_PEER);
    assert_true(second->want.want.crosses);
    index_free(a);
    index_free(b);
    index_free(c);
    free(first);
    free(second);
}

static void test_waiting_is_bounded(void **state)
{
    struct index *a = join(1, 102), *b = join(2, 102);
    struct index_block block = {.version = {4}, .block = 0, .blocks = 1};
    (void)state;
    struct probe *first = ask(a, block, 60000);
    assert_int_equal(answer_of(first), INDEX_YOURS);
    struct probe *second = ask(b, block, 150);
    assert_int_equal(answer_of(second), INDEX_ORIGIN);
    index_fetched(a, &first->want, false, 1);
    index_free(a);
    index_free(b);
    free(first);
    free(second);
}

/* One command to the same Redis, for what nobody else could see; the reply is the caller's. */
static redisReply *run(struct redis_command c)
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

static void say(const char *key, uint64_t node, const char *value)
{
    struct redis_command c = {0};
    redis_arg(&c, "HSET", 4);
    redis_arg(&c, key, strlen(key));
    redis_arg(&c, &node, sizeof(node));
    redis_arg(&c, value, strlen(value));
    freeReplyObject(run(c));
}

static bool is_said(const char *key, uint64_t node)
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

static void forget(const char *key)
{
    struct redis_command c = {0};
    redis_arg(&c, "DEL", 3);
    redis_arg(&c, key, strlen(key));
    freeReplyObject(run(c));
}

static void wait_until_fine(struct index *ix)
{
    struct index_status s;
    do {
        usleep(20000);
        index_status(ix, &s);
    } while (s.state != INDEX_FINE);
}

static void segment_key_of(const struct index *ix, const struct index_block *b,
                           char out[SEGMENT_KEY_SIZE])
{
    struct segment_id id = segment_id_of(b);
    segment_key(&ix->config.secret, &id, out);
}

/* What nodes left that are gone for good goes; not what those left that may be back. */
static void test_leftovers_are_removed(void **state)
{
    enum { GONE = 100, MANY = 30, MAY_BE_BACK = 7 };
    struct index_block block = {.version = {6, 6}, .block = 600, .blocks = 700};
    char key[SEGMENT_KEY_SIZE];
    (void)state;
    struct index *a = join(1, 106);
    segment_key_of(a, &block, key);
    for (uint64_t node = GONE; node < GONE + MANY; node++)
        say(key, node, "");
    say(key, MAY_BE_BACK, "");
    say(a->nodes_key, MAY_BE_BACK, "1700000000000 - -");
    wait_until_fine(a);
    pthread_mutex_lock(&a->lock);
    for (uint64_t node = GONE; node < GONE + MANY; node++)
        members_met(&a->members, node, clock_monotonic_ms() - MEMBERS_FORGOTTEN_MS - 1);
    members_met(&a->members, MAY_BE_BACK, clock_monotonic_ms() - MEMBERS_FORGOTTEN_MS - 1);
    members_listed(&a->members, MAY_BE_BACK, clock_monotonic_ms());
    pthread_mutex_unlock(&a->lock);
    index_opened(a, block.version, block.blocks);
    for (uint64_t node = GONE; node < GONE + MANY; node++)
        while (is_said(key, node))
            usleep(20000);
    assert_true(is_said(key, MAY_BE_BACK));
    index_free(a);
}

/* It was gone for good when that was noted, and is back before anything could be removed. */
static void test_who_is_back_leaves_nothing_over(void **state)
{
    enum { BACK = 7 };
    struct index_block block = {.version = {6, 7}, .block = 1, .blocks = 700};
    struct index_block other = {.version = {6, 8}, .block = 1, .blocks = 700};
    char key[SEGMENT_KEY_SIZE];
    size_t left;
    (void)state;
    struct index *a = join(1, 110);
    segment_key_of(a, &block, key);
    say(key, BACK, "");
    wait_until_fine(a);
    pthread_mutex_lock(&a->lock);
    members_put(&a->members, &(struct member){.node = BACK}, "");
    a->leftovers[a->n_leftovers++] = (struct index_leftover){segment_id_of(&block), BACK};
    pthread_mutex_unlock(&a->lock);
    index_publish(a, &other);
    do {
        usleep(20000);
        pthread_mutex_lock(&a->lock);
        left = a->n_leftovers;
        pthread_mutex_unlock(&a->lock);
    } while (left > 0);
    index_free(a); /* all that it was about to send is sent */
    assert_true(is_said(key, BACK));
}

/* A node that left in good order and is back soon need not say again what it has; one that is not
 * in the list any more does. */
static void test_who_comes_back_is_told(void **state)
{
    struct index_block block = {.version = {5, 5}, .block = 3, .blocks = 600};
    char key[SEGMENT_KEY_SIZE], nodes[40];
    (void)state;
    struct index *a = join(1, 107);
    wait_until_fine(a);
    strcpy(nodes, a->nodes_key);
    index_free(a);
    forget(nodes);
    times_told = 0;
    a = join(1, 107);
    wait_until_fine(a);
    index_publish(a, &block);
    segment_key_of(a, &block, key);
    index_free(a);
    assert_int_equal(times_told, 1);
    assert_true(is_said(nodes, 1) && is_said(key, 1));
    a = join(1, 107);
    wait_until_fine(a);
    index_free(a);
    assert_int_equal(times_told, 1);
}

static bool holds_all(void *user, const struct index_block *b)
{
    (void)user;
    return b->block != 1;
}

/* What the store has had since before: all of a segment, whichever block of it was named. */
static void test_what_was_found_is_announced(void **state)
{
    struct index_block block = {.version = {4, 5}, .block = 513, .blocks = 2000};
    char key[SEGMENT_KEY_SIZE], first[SEGMENT_KEY_SIZE];
    (void)state;
    struct index *a = join(1, 108);
    a->config.holds = holds_all;
    segment_key_of(a, &block, key);
    index_announce(a, &block);
    block.block = 700;
    index_announce(a, &block);
    block.block = 2;
    index_announce(a, &block);
    segment_key_of(a, &block, first);
    while (!is_said(key, 1) || !is_said(first, 1))
        usleep(20000);
    index_free(a);
}

static void test_what_was_found_is_bounded(void **state)
{
    struct index_block block = {.version = {4, 6}, .blocks = 1};
    int taken = 0;
    (void)state;
    struct index *a = join(1, 111);
    do
        memcpy(block.version, &taken, sizeof(taken));
    while (index_announce(a, &block) && taken++ < 10 * FOUND_MAX);
    assert_in_range(taken, FOUND_MAX - 1, 2 * FOUND_MAX);
    index_free(a);
}

/* Seconds. */
static int64_t left_to_live(const char *key)
{
    struct redis_command c = {0};
    redis_arg(&c, "TTL", 3);
    redis_arg(&c, key, strlen(key));
    redisReply *reply = run(c);
    int64_t left = reply->integer;
    freeReplyObject(reply);
    return left;
}

/* A segment in which nothing changes any more, but which is looked up, does not end. */
static void test_what_is_used_is_kept(void **state)
{
    struct index_block block = {.version = {3, 5}, .block = 0, .blocks = 1};
    char key[SEGMENT_KEY_SIZE];
    (void)state;
    struct index *a = join(1, 109);
    segment_key_of(a, &block, key);
    index_publish(a, &block);
    while (!is_said(key, 1) || left_to_live(key) < 0)
        usleep(20000);
    struct redis_command c = {0};
    redis_arg(&c, "EXPIRE", 6);
    redis_arg(&c, key, strlen(key));
    redis_arg(&c, "1000", 4);
    freeReplyObject(run(c));
    pthread_mutex_lock(&a->lock);
    segment_find(a->segments, block.version, 0)->kept_ms -= 3600001;
    pthread_mutex_unlock(&a->lock);
    while (left_to_live(key) <= 1000) {
        index_opened(a, block.version, block.blocks);
        usleep(20000);
    }
    index_free(a);
}

/* An entry that Redis didn't take at first gets an end when it does. */
static void test_what_is_said_again_ends(void **state)
{
    struct index_block block = {.version = {3, 6}, .block = 0, .blocks = 1};
    char key[SEGMENT_KEY_SIZE];
    struct index_status s;
    (void)state;
    struct index *a = join(1, 112);
    segment_key_of(a, &block, key);
    struct redis_command c = {0};
    redis_arg(&c, "SET", 3);
    redis_arg(&c, key, strlen(key));
    redis_arg(&c, "no hash", 7);
    freeReplyObject(run(c));
    wait_until_fine(a);
    index_publish(a, &block);
    do {
        usleep(20000);
        index_status(a, &s);
    } while (s.state == INDEX_FINE);
    forget(key);
    while (!is_said(key, 1))
        usleep(20000);
    index_free(a); /* what goes with it is said, too */
    assert_true(left_to_live(key) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_blocks),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_table_is_bounded),
        cmocka_unit_test(test_names_need_the_secret),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_member_lines),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_the_forgotten),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_a_busy_holder_is_waited_for),
        cmocka_unit_test(test_a_slow_holder_is_waited_for),
        cmocka_unit_test(test_one_fetches_the_other_waits),
        cmocka_unit_test(test_a_zone_is_let_go),
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_leftovers_are_removed),
        cmocka_unit_test(test_who_is_back_leaves_nothing_over),
        cmocka_unit_test(test_who_comes_back_is_told),
        cmocka_unit_test(test_what_was_found_is_announced),
        cmocka_unit_test(test_what_was_found_is_bounded),
        cmocka_unit_test(test_what_is_used_is_kept),
        cmocka_unit_test(test_what_is_said_again_ends),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
