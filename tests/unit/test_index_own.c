/* fetch/index: what a node says of its own blocks, and what becomes of it. */
#include "tests/unit/index_nodes.h"

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
    atomic_store(&times_told, 0);
    a = join(1, 107);
    wait_until_fine(a);
    index_publish(a, &block);
    segment_key_of(a, &block, key);
    index_free(a);
    assert_int_equal(atomic_load(&times_told), 1);
    assert_true(is_said(nodes, 1) && is_said(key, 1));
    a = join(1, 107);
    wait_until_fine(a);
    index_free(a);
    assert_int_equal(atomic_load(&times_told), 1);
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

/* What there was no room for is asked for once there is. */
static void test_what_was_found_is_bounded(void **state)
{
    struct index_block block = {.version = {4, 6}, .blocks = 1};
    int taken = 0;
    (void)state;
    struct index *a = join(1, 111);
    atomic_store(&times_told_more, 0);
    do
        memcpy(block.version, &taken, sizeof(taken));
    while (index_announce(a, &block) && taken++ < 10 * FOUND_MAX);
    assert_in_range(taken, FOUND_MAX, 2 * FOUND_MAX);
    while (!atomic_load(&times_told_more))
        usleep(20000);
    assert_true(index_announce(a, &block));
    index_free(a);
    assert_int_equal(atomic_load(&times_told_more), 1);
}

/* What is asked of the store may take its time: nobody else waits for that. */
static atomic_int looks, locked_looks;

static bool looks_and_has_all(void *user, const struct index_block *b)
{
    struct index *ix = *(struct index **)user;
    (void)b;
    atomic_fetch_add(&looks, 1);
    if (pthread_mutex_trylock(&ix->lock) != 0)
        atomic_fetch_add(&locked_looks, 1);
    else
        pthread_mutex_unlock(&ix->lock);
    return true;
}

static void wait_until_said(const char *key, uint64_t node)
{
    while (!is_said(key, node))
        usleep(20000);
}

/* By an open, by news, by what was found: one after the other, as calls take the lock, too. */
static void test_the_store_is_asked_without_the_lock(void **state)
{
    struct index_block opened = {.version = {4, 7}, .block = 1, .blocks = 600};
    struct index_block news = {.version = {4, 8}, .block = 513, .blocks = 2000};
    struct index_block found = {.version = {4, 9}, .block = 3, .blocks = 10};
    char keys[3][SEGMENT_KEY_SIZE];
    (void)state;
    struct index *a = join(1, 113);
    wait_until_fine(a);
    pthread_mutex_lock(&a->lock);
    a->config.holds = looks_and_has_all;
    a->config.user = &a;
    pthread_mutex_unlock(&a->lock);
    segment_key_of(a, &opened, keys[0]);
    segment_key_of(a, &news, keys[1]);
    segment_key_of(a, &found, keys[2]);
    index_opened(a, opened.version, opened.blocks);
    wait_until_said(keys[0], 1);
    index_publish(a, &news);
    wait_until_said(keys[1], 1);
    index_announce(a, &found);
    wait_until_said(keys[2], 1);
    index_free(a);
    assert_int_equal(atomic_load(&looks), 600 + 512 + 10);
    assert_int_equal(atomic_load(&locked_looks), 0);
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
        cmocka_unit_test(test_leftovers_are_removed),
        cmocka_unit_test(test_who_is_back_leaves_nothing_over),
        cmocka_unit_test(test_who_comes_back_is_told),
        cmocka_unit_test(test_what_was_found_is_announced),
        cmocka_unit_test(test_what_was_found_is_bounded),
        cmocka_unit_test(test_the_store_is_asked_without_the_lock),
        cmocka_unit_test(test_what_is_used_is_kept),
        cmocka_unit_test(test_what_is_said_again_ends),
    };
    return cmocka_run_group_tests_name("index-own", tests, NULL, NULL);
}
