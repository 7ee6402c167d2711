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

#define BLOCK  (4u << 20)
#define BLOCKS 1000
#define MOST   (64u << 20)

/* Reads [from, to) of an object of `blocks` blocks. */
static struct prefetch_plan read_bytes(struct prefetch_stream *s, uint64_t from, uint64_t to,
                                       uint64_t blocks, bool lost)
{
    struct prefetch_read r = {.from = from,
                              .to = to,
                              .need = to - from,
                              .size_bytes = blocks * BLOCK,
                              .block_bytes = BLOCK,
                              .most_bytes = MOST,
                              .lost = lost};
    return prefetch_next(s, &r);
}

static struct prefetch_plan read_block(struct prefetch_stream *s, uint64_t i, uint64_t blocks,
                                       bool lost)
{
    return read_bytes(s, i * BLOCK, (i + 1) * BLOCK, blocks, lost);
}

static uint64_t bytes(struct prefetch_plan p)
{
    return p.to - p.from;
}

static void test_sequential_grows(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t asked = BLOCK; /* bytes below were read or asked for */
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct prefetch_plan p = read_block(&s, i, BLOCKS, true);
        assert_true(p.sequential);
        if (i == 0)
            assert_int_equal(bytes(p), 4 * BLOCK);
        if (bytes(p) > 0) {
            assert_int_equal(p.from, asked); /* no gap, no repeat */
            assert_int_equal(p.part_bytes % BLOCK, 0);
            asked = p.to;
        }
        assert_true(asked <= (i + 1) * BLOCK + MOST);
        assert_true(asked >= (i + 2) * BLOCK); /* never behind the reader */
        if (i > 8)
            assert_true(asked + p.part_bytes > (i + 1) * BLOCK + MOST);
    }
}

static void test_random_fetches_nothing(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    srand(7);
    for (int i = 0; i < 500; i++) {
        uint64_t at = BLOCK + (uint64_t)rand() % 100000 * 3 * BLOCK; /* never two in a row */
        struct prefetch_plan p = read_bytes(&s, at, at + 4096, 1000000, true);
        assert_false(p.sequential);
        assert_int_equal(bytes(p), 0);
    }
}

/* The header of a file is read, then something far behind it: nothing is fetched ahead. */
static void test_header_is_no_run(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    assert_int_equal(bytes(read_bytes(&s, 0, 4096, BLOCKS, true)), 0);
    assert_int_equal(bytes(read_bytes(&s, 500u * BLOCK, 500u * BLOCK + 4096, BLOCKS, true)), 0);
}

static void test_small_reads_become_a_run(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    assert_false(read_bytes(&s, 0, 4096, BLOCKS, true).sequential);
    struct prefetch_plan p = read_bytes(&s, 4096, 8192, BLOCKS, false);
    assert_true(p.sequential);
    assert_int_equal(p.from, BLOCK);
    assert_int_equal(bytes(p), 4 * BLOCK);
}

static void test_interleaved_runs(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < 50; i++)
        for (uint64_t run = 0; run < PREFETCH_CURSORS; run++)
            total += bytes(read_block(&s, run * 100 + i, BLOCKS, true)) / BLOCK;
    assert_true(total > 45 * PREFETCH_CURSORS); /* each run was seen as one */
}

static void test_end_of_file(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t asked = BLOCK;
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        struct prefetch_plan p = read_block(&s, i, 10, true);
        assert_true(p.to <= 10 * BLOCK);
        asked += bytes(p);
    }
    assert_int_equal(asked, 10 * BLOCK);
}

static void test_followers_add_nothing(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (uint64_t i = 0; i < 20; i++)
        read_block(&s, i, BLOCKS, true);
    for (uint64_t i = 10; i < 19; i++) { /* another process, a little behind */
        struct prefetch_plan p = read_block(&s, i, BLOCKS, false);
        assert_true(p.sequential);
        assert_int_equal(bytes(p), 0);
    }
    assert_true(bytes(read_bytes(&s, 20 * BLOCK, 24 * BLOCK, BLOCKS, true)) > 0);
}

static void test_second_pass(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        read_block(&s, i, 10, true);
    for (uint64_t i = 0; i < 10; i++) /* evicted meanwhile: fetched again, so read ahead again */
        total += bytes(read_block(&s, i, 10, true)) / BLOCK;
    assert_true(total >= 8);
}

static void test_stopped_early(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    struct prefetch_plan p = read_block(&s, 0, BLOCKS, true);
    assert_true(p.from == BLOCK && p.to == 5 * BLOCK);
    prefetch_stopped_at(&s, 2 * BLOCK);
    p = read_block(&s, 1, BLOCKS, true);
    assert_int_equal(p.from, 2 * BLOCK); /* what was left out comes again */
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
        cmocka_unit_test(test_header_is_no_run),
        cmocka_unit_test(test_small_reads_become_a_run),
        cmocka_unit_test(test_sequential_grows),
        cmocka_unit_test(test_random_fetches_nothing),
        cmocka_unit_test(test_interleaved_runs),
        cmocka_unit_test(test_end_of_file),
        cmocka_unit_test(test_followers_add_nothing),
        cmocka_unit_test(test_second_pass),
        cmocka_unit_test(test_stopped_early),
        cmocka_unit_test(test_evict_goal),
        cmocka_unit_test(test_evict_picks_oldest),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
