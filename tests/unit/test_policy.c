/* policy/prefetch and policy/evict, replayed on traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/evict.h"
#include "policy/prefetch.h"

#define BLOCKS 1000
#define MOST   16

static void test_sequential_grows(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t asked = 1; /* blocks below were read or asked for */
    uint64_t counts[4];
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct prefetch_range r = prefetch_next(&s, i, 1, BLOCKS, MOST, true);
        if (r.count) {
            assert_int_equal(r.first, asked > i ? asked : i + 1); /* no gap, no repeat */
            asked = r.first + r.count;
        }
        assert_true(asked <= i + 1 + MOST);
        if (i < 4)
            counts[i] = r.count;
        if (i > 8)
            assert_true(asked == i + 1 + MOST);
    }
    assert_int_equal(counts[0], 4);
    assert_true(counts[1] > 1 && counts[2] > 1);
}

static void test_random_fetches_nothing(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    srand(7);
    for (int i = 0; i < 500; i++) {
        uint64_t at = 1 + (uint64_t)rand() % 100000 * 3; /* never two in a row */
        assert_int_equal(prefetch_next(&s, at, 1, 1000000, MOST, true).count, 0);
    }
}

static void test_interleaved_runs(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < 50; i++)
        for (uint64_t run = 0; run < PREFETCH_CURSORS; run++)
            total += prefetch_next(&s, run * 100 + i, 1, BLOCKS, MOST, true).count;
    assert_true(total > 45 * PREFETCH_CURSORS); /* each run was seen as one */
}

static void test_end_of_file(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        struct prefetch_range r = prefetch_next(&s, i, 1, 10, MOST, true);
        assert_true(r.first + r.count <= 10);
    }
}

static void test_followers_add_nothing(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (uint64_t i = 0; i < 20; i++)
        prefetch_next(&s, i, 1, BLOCKS, MOST, true);
    for (uint64_t i = 10; i < 19; i++) /* another process, a little behind */
        assert_int_equal(prefetch_next(&s, i, 1, BLOCKS, MOST, false).count, 0);
    assert_true(prefetch_next(&s, 20, 1, BLOCKS, MOST, true).count > 0);
}

static void test_second_pass(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        prefetch_next(&s, i, 1, 10, MOST, true);
    for (uint64_t i = 0; i < 10; i++) /* evicted meanwhile: fetched again, so read ahead again */
        total += prefetch_next(&s, i, 1, 10, MOST, true).count;
    assert_true(total >= 8);
}

static void test_stopped_early(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    struct prefetch_range r = prefetch_next(&s, 0, 1, BLOCKS, MOST, true);
    assert_true(r.first == 1 && r.count == 4);
    prefetch_stopped_at(&s, 2);
    r = prefetch_next(&s, 1, 1, BLOCKS, MOST, true);
    assert_int_equal(r.first, 2); /* what was left out comes again */
}

static void test_evict_goal(void **state)
{
    (void)state;
    assert_int_equal(evict_goal(10, 100, 50), 0);
    assert_int_equal(evict_goal(100, 100, 0), 0);
    assert_int_equal(evict_goal(164, 128, 50), 36 + 2);
    assert_int_equal(evict_goal(10, 128, -5), 5 + 2);
    assert_true(evict_goal(UINT64_MAX / 2, 100, 0) > 0);
}

static void test_evict_picks_oldest(void **state)
{
    struct evict_candidate c[10];
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        c[i] = (struct evict_candidate){.last_used_s = 100 - (int)i, .bytes = 10, .ref = i};
    assert_int_equal(evict_pick(c, 10, 25), 3);
    assert_int_equal(c[0].ref, 9);
    assert_int_equal(c[2].ref, 7);
    assert_int_equal(evict_pick(c, 10, 1000), 5); /* half: other shards may hold older ones */
    assert_int_equal(evict_pick(c, 1, 1000), 1);
    assert_int_equal(evict_pick(c, 0, 1000), 0);
    assert_int_equal(evict_pick(c, 10, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequential_grows),      cmocka_unit_test(test_random_fetches_nothing),
        cmocka_unit_test(test_interleaved_runs),      cmocka_unit_test(test_end_of_file),
        cmocka_unit_test(test_followers_add_nothing), cmocka_unit_test(test_second_pass),
        cmocka_unit_test(test_stopped_early),         cmocka_unit_test(test_evict_goal),
        cmocka_unit_test(test_evict_picks_oldest),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
