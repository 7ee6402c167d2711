/* fetch/index_beat: whose leases count, and whose are removed, also where Redis takes none. */
#include "tests/unit/index_nodes.h"

#define HOUR_MS 3600000

/* --- a Redis that can be read, and takes nothing of this user -------------------------- */

#define GUEST "warmpath-test-guest"

static void acl(const char *verb, const char *const *rules)
{
    struct redis_command c = {0};
    redis_arg(&c, "ACL", 3);
    redis_arg(&c, verb, strlen(verb));
    redis_arg(&c, GUEST, strlen(GUEST));
    for (; rules && *rules; rules++)
        redis_arg(&c, *rules, strlen(*rules));
    redisReply *reply = run(c);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static struct index_config guest_of(uint8_t tenant)
{
    static const char *const rules[] = {"reset", "on", ">pw", "~*", "+time", "+hgetall", NULL};
    struct index_config c = config_of(1, tenant);
    acl("SETUSER", rules);
    strcpy(c.redis.user, GUEST);
    strcpy(c.redis.password, "pw");
    return c;
}

static void allow_all(void)
{
    static const char *const rules[] = {"+@all", NULL};
    acl("SETUSER", rules);
}

/* Adds a node whose lease ended so long ago by Redis's clock. */
static void say_lease(const struct index *ix, uint64_t node, int64_t ended_ms_ago)
{
    struct redis_command c = {0};
    char value[100];
    redis_arg(&c, "TIME", 4);
    redisReply *reply = run(c);
    int64_t now_ms = strtoll(reply->element[0]->str, NULL, 10) * 1000;
    freeReplyObject(reply);
    assert_true(member_format(value, sizeof(value), now_ms - ended_ms_ago, "http://n", "") > 0);
    say(ix->nodes_key, node, value);
}

static void wait_until_refused(struct index *ix)
{
    struct index_status s;
    int64_t beat_ms;
    do {
        usleep(20000);
        index_status(ix, &s);
        pthread_mutex_lock(&ix->lock);
        beat_ms = ix->beat_ms; /* the members are known */
        pthread_mutex_unlock(&ix->lock);
    } while (s.state != INDEX_REFUSED || !beat_ms);
}

/* --- tests ----------------------------------------------------------------------------- */

/* Nobody can renew: who was there when the last one could is. */
static void test_leases_that_nobody_can_renew_hold(void **state)
{
    enum { NEWEST = 10, AS_WELL, BEFORE, LONG_GONE };
    struct index_config c = guest_of(120);
    (void)state;
    struct index *a = index_new(&c);
    say_lease(a, NEWEST, HOUR_MS / 2);
    say_lease(a, AS_WELL, HOUR_MS / 2 + LEASE_MS / 2);
    say_lease(a, BEFORE, HOUR_MS / 2 + 2 * LEASE_MS);
    say_lease(a, LONG_GONE, 3 * HOUR_MS);
    index_start(a);
    wait_until_refused(a);
    wait_for_nodes(a, 2);
    pthread_mutex_lock(&a->lock);
    assert_true(members_find(&a->members, NEWEST)->is_alive);
    assert_true(members_find(&a->members, AS_WELL)->is_alive);
    pthread_mutex_unlock(&a->lock);
    assert_true(is_said(a->nodes_key, LONG_GONE)); /* it can't be removed either */
    index_free(a);
    acl("DELUSER", NULL);
}

/* All ended more than an hour ago: whether anybody is left, nobody knows. */
static void test_leases_that_ended_long_ago_do_not(void **state)
{
    struct index_config c = guest_of(121);
    struct index_status s;
    (void)state;
    struct index *a = index_new(&c);
    say_lease(a, 10, HOUR_MS + 60000);
    index_start(a);
    wait_until_refused(a);
    index_status(a, &s);
    assert_int_equal(s.nodes, 0);
    index_free(a);
    acl("DELUSER", NULL);
}

/* Redis takes leases again after hours: the first to notice removes nobody, as others are about to
 * renew theirs; who doesn't is removed by the next renewal. */
static void test_none_is_removed_who_could_not_renew(void **state)
{
    enum { OTHER = 10 };
    struct index_config c = guest_of(122);
    int64_t begun_ms;
    bool was_there;
    (void)state;
    struct index *a = index_new(&c);
    say_lease(a, OTHER, 2 * HOUR_MS);
    index_start(a);
    wait_until_refused(a);
    begun_ms = clock_monotonic_ms();
    allow_all();
    wait_until_fine(a);
    was_there = is_said(a->nodes_key, OTHER);
    if (clock_monotonic_ms() - begun_ms < BEAT_MS) /* else the next one may have come */
        assert_true(was_there);
    while (is_said(a->nodes_key, OTHER))
        usleep(20000);
    index_free(a);
    acl("DELUSER", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leases_that_nobody_can_renew_hold),
        cmocka_unit_test(test_leases_that_ended_long_ago_do_not),
        cmocka_unit_test(test_none_is_removed_who_could_not_renew),
    };
    return cmocka_run_group_tests_name("index-beat", tests, NULL, NULL);
}
