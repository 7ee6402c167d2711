/* policy/far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/far.h"
#include "policy/placement.h"

#define BLOCKS  4000
#define READERS 7
static const uint64_t others[READERS] = {11, 12, 13, 14, 15, 16, 17};

static void read_blocks(struct far *f, uint64_t from, uint64_t count)
{
    for (uint64_t b = from; b < from + count; b++)
        far_read(f, b);
}

/* All that it gives while nothing is under way for long. */
static size_t take_all(struct far *f, uint64_t *out)
{
    size_t n = 0;
    while (far_next(f, 0, &out[n]))
        n++;
    return n;
}

static void test_only_a_run_is_worth_it(void **state)
{
    struct far f = {0};
    (void)state;
    far_read(&f, 100);
    far_read(&f, 900);
    far_read(&f, 300);
    assert_false(far_is_due(&f));
    read_blocks(&f, 301, FAR_READ_FIRST - 1);
    assert_false(far_is_due(&f));
    far_read(&f, 300 + FAR_READ_FIRST);
    assert_true(far_is_due(&f));
    assert_false(far_is_active(&f)); /* nobody else reads it */
    assert_true(far_needs_plan(&f, READERS));
    far_plan(&f, 1, BLOCKS, others, READERS, 10);
    assert_true(far_is_active(&f));
    far_read(&f, 2000);
    assert_false(far_is_due(&f));
}

static void test_own_extents_come_first(void **state)
{
    struct far f = {0};
    uint64_t given[FAR_HORIZON_BLOCKS];
    size_t before = 0;
    (void)state;
    read_blocks(&f, 0, FAR_READ_FIRST + 1);
    far_plan(&f, 1, BLOCKS, others, READERS, 10);
    size_t n = take_all(&f, given);
    assert_in_range(n, FAR_BLOCKS_FIRST, FAR_BLOCKS_FIRST + FAR_READ_FIRST);
    for (size_t i = 0; i < n; i++) {
        size_t rank = placement_rank(1, placement_extent(given[i]), others, READERS, 10);
        assert_true(rank >= before);
        before = rank;
        assert_in_range(given[i], f.at, f.at + FAR_HORIZON_BLOCKS - 1);
    }
    assert_int_equal(before, 0); /* an eighth of the horizon is more than that */
}

/* Unread blocks never are more than what was read and a first lot, and none comes twice. */
static void test_bounds(void **state)
{
    struct far f = {0};
    static uint8_t times[BLOCKS];
    uint64_t block, given = 0;
    (void)state;
    memset(times, 0, sizeof(times));
    for (uint64_t at = 0; at < BLOCKS; at++) {
        far_read(&f, at);
        if (!far_is_due(&f))
            continue;
        if (far_needs_plan(&f, READERS))
            far_plan(&f, 1, BLOCKS, others, READERS, 10);
        while (far_next(&f, 0, &block)) {
            assert_in_range(block, at, BLOCKS - 1);
            assert_int_equal(times[block]++, 0);
            given++;
        }
        uint64_t unread = 0;
        for (uint64_t b = at; b < BLOCKS; b++)
            unread += times[b];
        assert_true(unread <= at + FAR_BLOCKS_FIRST);
    }
    assert_true(given > BLOCKS * 9 / 10);
    assert_false(far_next(&f, 0, &block));
}

static void test_few_at_once(void **state)
{
    struct far f = {0};
    uint64_t block;
    (void)state;
    read_blocks(&f, 0, FAR_READ_FIRST + 1);
    far_plan(&f, 1, BLOCKS, others, READERS, 10);
    assert_false(far_next(&f, FAR_AT_ONCE, &block));
    assert_true(far_next(&f, FAR_AT_ONCE - 1, &block));
}

/* Nodes that start together begin at different places, and together everywhere. */
static void test_each_begins_elsewhere(void **state)
{
    static unsigned first[FAR_HORIZON_BLOCKS + FAR_READ_FIRST + 1];
    uint64_t nodes[READERS + 1] = {10}, given[FAR_HORIZON_BLOCKS];
    size_t twice = 0, all = 0;
    (void)state;
    memset(first, 0, sizeof(first));
    memcpy(nodes + 1, others, sizeof(others));
    for (size_t i = 0; i <= READERS; i++) {
        struct far f = {0};
        read_blocks(&f, 0, FAR_READ_FIRST + 1);
        far_plan(&f, 1, BLOCKS, nodes, READERS + 1, nodes[i]);
        size_t n = take_all(&f, given);
        all += n;
        for (size_t k = 0; k < n; k++)
            twice += first[given[k]]++ > 0;
    }
    assert_true(all > (READERS + 1) * FAR_BLOCKS_FIRST);
    assert_int_equal(twice, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_a_run_is_worth_it),
        cmocka_unit_test(test_own_extents_come_first),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_few_at_once),
        cmocka_unit_test(test_each_begins_elsewhere),
    };
    return cmocka_run_group_tests_name("far", tests, NULL, NULL);
}
