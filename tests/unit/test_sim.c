/* The simulator, and by it the policy: that a cluster asks S3 once for each block, and how fast. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/run.h"

static const struct scenario *named(const char *name)
{
    const struct scenario *s = scenarios;
    while (s->name && strcmp(s->name, name) != 0)
        s++;
    assert_non_null(s->name);
    return s;
}

static struct result result_of(const char *name, uint64_t seed)
{
    struct world *w = run_scenario(named(name), seed);
    struct result r = run_judge(w);
    run_free(w);
    return r;
}

static void test_s3_is_asked_once_for_each_block(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct result r = result_of("small", seed);
        assert_int_equal(r.blocks, 128);
        assert_true(r.s3_ratio == 1);
        assert_true(run_is_fine(named("small"), &r));
    }
}

/* 200 nodes that start at the same moment neither stampede S3 nor one peer. */
static void test_many_start_together(void **state)
{
    struct world *w = run_scenario(named("together"), 1);
    struct result r = run_judge(w);
    (void)state;
    assert_int_equal(w->totals.loaded, 200);
    assert_true(r.s3_ratio == 1);
    assert_true(r.ratio < 4);
    assert_in_range(w->totals.most_uploads, 1, 32);
    assert_true(run_is_fine(w->scenario, &r));
    run_free(w);
}

/* With each of five seeds all that live get everything, within the scenario's goals. */
static void run_seeds(const struct scenario *s, const char *what)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *w = run_scenario(s, seed);
        struct result r = run_judge(w);
        print_message("%s, seed %d: %.2f of the bound, %.3f GETs a block\n", what, (int)seed,
                      r.ratio, r.s3_ratio);
        assert_int_equal(w->totals.loaded + w->totals.dead, s->nodes);
        if (s->dead_share == 0)
            assert_int_equal(w->totals.dead, 0);
        assert_true(run_is_fine(s, &r));
        run_free(w);
    }
}

/* Then nodes ask each other by placement: S3 has little more to do, and it takes little longer. */
static void test_redis_goes_away_on_the_way(void **state)
{
    struct scenario s = *named("small");
    (void)state;
    s.model_gib = 2;
    s.redis_gone_at_s = 0.5;
    s.goal_s3 = 1.5;
    run_seeds(&s, "redis gone");
}

/* Nobody ever knew who reads the object: each fetches for itself, and all of them get everything.
 */
static void test_without_redis_all_get_all(void **state)
{
    struct scenario s = *named("small");
    (void)state;
    s.redis_gone_at_s = 1e-6;
    struct world *w = run_scenario(&s, 1);
    assert_int_equal(w->totals.loaded, s.nodes);
    assert_int_equal(w->totals.s3_gets, 128 * 24);
    run_free(w);
}

/* Every fourth node is behind a thin uplink, which carries each block about once. */
static void test_a_zone_behind_a_thin_uplink(void **state)
{
    struct scenario s = *named("small");
    (void)state;
    s.slow_zone_rate = 2e9 / 8;
    s.goal_ratio = 1.5;
    run_seeds(&s, "zone");
}

/* Each death costs those who waited for the node a fraction of a second, and nobody seconds. */
static void test_nodes_die(void **state)
{
    struct scenario s = *named("small");
    (void)state;
    s.model_gib = 2;
    s.dead_share = 0.2;
    s.dead_at_s = 0.5;
    s.goal_ratio = 7;
    s.goal_s3 = 1.25;
    run_seeds(&s, "nodes die");
}

static void test_a_seed_gives_the_same_run(void **state)
{
    struct result a = result_of("small", 9), b = result_of("small", 9), c = result_of("small", 10);
    (void)state;
    assert_true(a.time_s == b.time_s && a.redis_ops == b.redis_ops);
    assert_true(a.time_s != c.time_s);
}

/* --- the network ------------------------------------------------------------------------ */

struct arrival {
    struct queue *queue;
    int64_t at_us[8];
};

static void arrived(void *user, int64_t number)
{
    struct arrival *a = user;
    a->at_us[number] = a->queue->now_us;
}

/* Two flows share link 0; one of them is held back by link 1, and leaves its rest to the other. */
static void test_flows_share_max_min_fairly(void **state)
{
    struct queue queue = {0};
    struct network net;
    struct arrival a = {.queue = &queue};
    (void)state;
    network_init(&net, &queue, 2);
    net.links[0].rate = 1000e6;
    net.links[1].rate = 100e6;
    struct flow wide = {.links = {0, NO_LINK, NO_LINK},
                        .left_bytes = 90e6,
                        .most = 1e12,
                        .done = arrived,
                        .user = &a,
                        .number = 0};
    struct flow narrow = wide;
    narrow.links[1] = 1;
    narrow.left_bytes = 10e6;
    narrow.number = 1;
    network_start(&net, &wide);
    network_start(&net, &narrow);
    while (queue_step(&queue) >= 0)
        ;
    assert_in_range(a.at_us[0], 99000, 102000); /* 900 MB/s */
    assert_in_range(a.at_us[1], 99000, 102000); /* 100 MB/s */
    network_free(&net);
    queue_free(&queue);
}

static void note(void *user, int64_t number)
{
    struct arrival *a = user;
    for (int i = 0; i < 8; i++) {
        if (a->at_us[i] != 0)
            continue;
        a->at_us[i] = number;
        return;
    }
}

static void test_events_come_in_order(void **state)
{
    struct queue queue = {0};
    struct arrival a = {.queue = &queue};
    const int64_t times[] = {50, 10, 30, 10, 40, 10};
    const int64_t order[] = {2, 4, 6, 3, 5, 1};
    (void)state;
    for (int i = 0; i < 6; i++)
        queue_at(&queue, times[i], note, &a, i + 1);
    while (queue_step(&queue) >= 0)
        ;
    assert_memory_equal(a.at_us, order, sizeof(order));
    queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s3_is_asked_once_for_each_block),
        cmocka_unit_test(test_many_start_together),
        cmocka_unit_test(test_redis_goes_away_on_the_way),
        cmocka_unit_test(test_without_redis_all_get_all),
        cmocka_unit_test(test_a_zone_behind_a_thin_uplink),
        cmocka_unit_test(test_nodes_die),
        cmocka_unit_test(test_a_seed_gives_the_same_run),
        cmocka_unit_test(test_flows_share_max_min_fairly),
        cmocka_unit_test(test_events_come_in_order),
    };
    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
