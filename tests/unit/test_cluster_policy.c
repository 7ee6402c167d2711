/* policy/breaker and policy/placement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/breaker.h"
#include "policy/placement.h"

static const struct breaker_rules rules = {.failures = 3, .open_ms = 1000, .open_max_ms = 8000};
#define MOST 0xffffffffu /* random: the longest wait */

static void fail_until_open(struct breaker *b, int64_t now_ms)
{
    while (b->state != BREAKER_OPEN) {
        assert_true(breaker_allows(b, &rules, now_ms));
        breaker_failed(b, &rules, now_ms, MOST);
    }
}

static void test_breaker_opens_after_failures_in_a_row(void **state)
{
    struct breaker b = {0};
    (void)state;
    for (int i = 0; i < 10; i++) { /* a success between them starts the count anew */
        breaker_failed(&b, &rules, i, MOST);
        breaker_failed(&b, &rules, i, MOST);
        breaker_succeeded(&b, i);
    }
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(b.since_ms, 0);
    fail_until_open(&b, 50);
    assert_int_equal(b.since_ms, 50);
    assert_false(breaker_allows(&b, &rules, 51));
    assert_false(breaker_allows(&b, &rules, 50 + 998));
}

static void test_breaker_one_probe_at_a_time(void **state)
{
    struct breaker b = {0};
    (void)state;
    fail_until_open(&b, 0);
    assert_true(breaker_allows(&b, &rules, 1000));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(breaker_allows(&b, &rules, 1001));
    assert_false(breaker_would_allow(&b, 1001));
    breaker_succeeded(&b, 1010);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(b.since_ms, 1010);
    assert_true(breaker_allows(&b, &rules, 1011));
    assert_true(breaker_allows(&b, &rules, 1011));
}

static void test_breaker_waits_double(void **state)
{
    struct breaker b = {0};
    const int64_t waits[] = {1000, 2000, 4000, 8000, 8000, 8000};
    int64_t now = 0;
    (void)state;
    fail_until_open(&b, now);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_false(breaker_allows(&b, &rules, now + waits[i] - 2));
        now += waits[i];
        assert_true(breaker_allows(&b, &rules, now));
        breaker_failed(&b, &rules, now, MOST);
        assert_int_equal(b.state, BREAKER_OPEN);
    }
    assert_int_equal(b.since_ms, 0); /* it has not been closed since */
}

static void test_breaker_waits_are_drawn(void **state)
{
    struct breaker b = {0};
    (void)state;
    for (uint32_t i = 0; i < rules.failures; i++)
        breaker_failed(&b, &rules, 0, 0);
    assert_false(breaker_would_allow(&b, 499));
    assert_true(breaker_would_allow(&b, 500));
}

static void test_breaker_survives_a_lost_probe(void **state)
{
    struct breaker b = {0};
    (void)state;
    fail_until_open(&b, 0);
    assert_true(breaker_allows(&b, &rules, 1000));
    assert_false(breaker_allows(&b, &rules, 8999));
    assert_true(breaker_allows(&b, &rules, 9000));
}

static void test_breaker_forgets_a_probe(void **state)
{
    struct breaker b = {0};
    (void)state;
    fail_until_open(&b, 0);
    assert_true(breaker_allows(&b, &rules, 1000));
    assert_false(breaker_allows(&b, &rules, 1001));
    breaker_forget(&b, 1002); /* cancelled: the next one probes */
    assert_true(breaker_allows(&b, &rules, 1002));
    assert_false(breaker_allows(&b, &rules, 1003));
}

static void test_breaker_late_answers_change_nothing(void **state)
{
    struct breaker b = {0};
    (void)state;
    fail_until_open(&b, 0);
    breaker_succeeded(&b, 10);
    assert_int_equal(b.state, BREAKER_OPEN);
    int64_t retry_at = b.retry_at_ms;
    breaker_failed(&b, &rules, 500, MOST);
    assert_int_equal(b.retry_at_ms, retry_at);
}

#define NODES   20
#define EXTENTS 4000

static size_t owner(uint64_t content, uint64_t extent, const uint64_t *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (placement_rank(content, extent, nodes, n, nodes[i]) == 0)
            return i;
    fail_msg("no node comes first");
    return 0;
}

static void test_placement_spreads(void **state)
{
    uint64_t nodes[NODES];
    size_t extents[NODES] = {0};
    (void)state;
    for (size_t i = 0; i < NODES; i++)
        nodes[i] = 1000 + i;
    for (uint64_t e = 0; e < EXTENTS; e++)
        extents[owner(7, e, nodes, NODES)]++;
    for (size_t i = 0; i < NODES; i++) /* 200 each, give or take four standard deviations */
        assert_in_range(extents[i], 145, 255);
}

static void test_placement_of_a_dead_node_falls_to_all_others(void **state)
{
    uint64_t nodes[NODES];
    size_t taken[NODES] = {0}, lost = 0;
    (void)state;
    for (size_t i = 0; i < NODES; i++)
        nodes[i] = 1000 + i;
    for (uint64_t e = 0; e < EXTENTS; e++) {
        size_t before = owner(7, e, nodes, NODES), after = owner(7, e, nodes, NODES - 1);
        if (before == NODES - 1) {
            lost++;
            taken[after]++;
        } else {
            assert_int_equal(after, before);
        }
    }
    for (size_t i = 0; i < NODES - 1; i++)
        assert_in_range(taken[i], 1, lost / 4);
}

static void test_placement_ranks_are_a_permutation(void **state)
{
    const uint64_t nodes[] = {5, 9, 1, 77};
    (void)state;
    for (uint64_t e = 0; e < 100; e++) {
        unsigned seen = 0;
        for (size_t i = 0; i < 4; i++)
            seen |= 1u << placement_rank(1, e, nodes, 4, nodes[i]);
        assert_int_equal(seen, 15);
    }
    assert_int_equal(placement_rank(1, 2, NULL, 0, 5), 0);
    assert_int_equal(placement_patience_ms(0), 0);
    assert_true(placement_patience_ms(1) < placement_patience_ms(2));
    assert_int_equal(placement_patience_ms(1000), placement_patience_ms(100)); /* bounded */
}

/* The first asks nobody; the others ask only those before them, and each of these is asked. */
static void test_guesses_go_to_those_before(void **state)
{
    enum { COUNT = 20, TRIALS = 400 };
    uint64_t nodes[COUNT];
    (void)state;
    for (uint64_t i = 0; i < COUNT; i++)
        nodes[i] = 1000 + i;
    for (int i = 0; i < COUNT; i++) {
        size_t rank = placement_rank(9, placement_extent(5), nodes, COUNT, nodes[i]);
        uint32_t asked = 0;
        for (uint32_t attempt = 0; attempt < TRIALS; attempt++) {
            size_t at = placement_guess(9, 5, nodes, COUNT, nodes[i], attempt);
            if (rank == 0)
                assert_int_equal(at, COUNT);
            else
                asked |= 1u << placement_rank(9, placement_extent(5), nodes, COUNT, nodes[at]);
        }
        assert_int_equal(asked, (1u << rank) - 1);
    }
    assert_int_equal(placement_guess(9, 5, NULL, 0, 1, 0), 0);
}

static void test_placement_distance(void **state)
{
    (void)state;
    assert_int_equal(placement_distance("", ""), PLACEMENT_SAME_ZONE);
    assert_int_equal(placement_distance("a", "a"), PLACEMENT_SAME_ZONE);
    assert_int_equal(placement_distance("a", "b"), PLACEMENT_SAME_REGION);
    assert_int_equal(placement_distance("eu/a", "eu/a"), PLACEMENT_SAME_ZONE);
    assert_int_equal(placement_distance("eu/a", "eu/b"), PLACEMENT_SAME_REGION);
    assert_int_equal(placement_distance("eu/a", "us/a"), PLACEMENT_OTHER_REGION);
    assert_int_equal(placement_distance("eu/a", "europe/a"), PLACEMENT_OTHER_REGION);
    assert_int_equal(placement_distance("eu/a", "a"), PLACEMENT_OTHER_REGION);
}

static void test_pick_of_a_holder(void **state)
{
    const struct placement_holder h[] = {
        {.node = 6, .distance = PLACEMENT_SAME_ZONE}, /* itself */
        {.node = 1, .distance = PLACEMENT_OTHER_REGION},
        {.node = 2, .distance = PLACEMENT_SAME_REGION},
        {.node = 3, .distance = PLACEMENT_SAME_ZONE, .asked = 30},
        {.node = 4, .distance = PLACEMENT_SAME_ZONE},
    };
    const uint64_t picked[] = {0, 0, 0, 2, 3, 4}; /* of the first so many */
    (void)state;
    for (size_t n = 0; n <= 5; n++) {
        size_t at = placement_pick(h, n, 1, 2, 6, false);
        assert_int_equal(at < n ? h[at].node : 0, picked[n]);
    }
    assert_int_equal(placement_pick(h, 2, 1, 2, 6, true), 1); /* where it was asked for */
}

/* As many as are on their way at once; few where that takes no time. */
static void test_turns_by_distance(void **state)
{
    (void)state;
    assert_int_equal(placement_at_once(PLACEMENT_SAME_ZONE), PLACEMENT_AT_ONCE);
    assert_int_equal(placement_at_once(PLACEMENT_SAME_REGION), PLACEMENT_AT_ONCE);
    assert_in_range(placement_at_once(PLACEMENT_OTHER_REGION), 4 * PLACEMENT_AT_ONCE, 32);
}

static void test_holders_share_the_load(void **state)
{
    size_t first[8] = {0};
    (void)state;
    for (uint64_t self = 100; self < 200; self++) {
        for (uint64_t block = 0; block < 16; block++) {
            struct placement_holder h[8];
            for (uint32_t i = 0; i < 8; i++)
                h[i] = (struct placement_holder){.node = i + 1};
            first[placement_pick(h, 8, 3, block, self, false)]++;
        }
    }
    for (size_t i = 0; i < 8; i++)
        assert_in_range(first[i], 140, 260);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaker_opens_after_failures_in_a_row),
        cmocka_unit_test(test_breaker_one_probe_at_a_time),
        cmocka_unit_test(test_breaker_waits_double),
        cmocka_unit_test(test_breaker_waits_are_drawn),
        cmocka_unit_test(test_breaker_survives_a_lost_probe),
        cmocka_unit_test(test_breaker_forgets_a_probe),
        cmocka_unit_test(test_breaker_late_answers_change_nothing),
        cmocka_unit_test(test_placement_spreads),
        cmocka_unit_test(test_placement_of_a_dead_node_falls_to_all_others),
        cmocka_unit_test(test_placement_ranks_are_a_permutation),
        cmocka_unit_test(test_guesses_go_to_those_before),
        cmocka_unit_test(test_placement_distance),
        cmocka_unit_test(test_pick_of_a_holder),
        cmocka_unit_test(test_turns_by_distance),
        cmocka_unit_test(test_holders_share_the_load),
    };
    return cmocka_run_group_tests_name("cluster policy", tests, NULL, NULL);
}
