/* Runs of policy/prefetch, policy/allowance and policy/evict, replayed on traces. */
#include "tests/unit/prefetch_reads.h"

#include "policy/allowance.h"
#include "policy/evict.h"

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

/* The last read, whose reader is given all of its block. */
static void give_block(struct prefetch_stream *s, uint64_t from)
{
    prefetch_gave(s, from, (from / BLOCK + 1) * BLOCK);
}

static uint64_t windows(const struct prefetch_stream *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < PREFETCH_CURSORS; i++)
        sum += s->cursors[i].window;
    return sum;
}

/* Random reads stay random where whole blocks come (from a peer); a run goes on behind them. */
static void test_given_more_is_not_going_on(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (uint64_t i = 1; i < 50; i++) {
        uint64_t at = i * 37 % BLOCKS * BLOCK + i * 4096;
        assert_int_equal(bytes(read_bytes(&s, at, at + 4096, BLOCKS, true)), 0);
        give_block(&s, at);
        assert_int_equal(windows(&s), 0);
    }
    memset(&s, 0, sizeof(s));
    read_bytes(&s, 0, 4096, BLOCKS, true);
    give_block(&s, 0);
    struct prefetch_plan p = read_bytes(&s, BLOCK, BLOCK + 4096, BLOCKS, true);
    assert_true(p.sequential);
    assert_int_equal(p.from, 2 * BLOCK);
    assert_int_equal(bytes(p), 4 * BLOCK);
}

static void test_interleaved_runs(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t total = 0;
    (void)state;
    for (uint64_t i = 0; i < 50; i++)
        for (uint64_t run = 0; run < PREFETCH_CURSORS; run++)
            total +=
                bytes(read_block(&s, run * (BLOCKS / PREFETCH_CURSORS) + i, BLOCKS, true)) / BLOCK;
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

static struct prefetch_plan read_advised(struct prefetch_stream *s, uint64_t from, uint64_t need,
                                         enum prefetch_advice advice)
{
    struct prefetch_read r = {.from = from,
                              .to = from + need,
                              .need = need,
                              .size_bytes = (uint64_t)BLOCKS * BLOCK,
                              .block_bytes = BLOCK,
                              .most_bytes = MOST,
                              .lost = true,
                              .advice = advice};
    return prefetch_next(s, &r);
}

static void test_advice_sequential(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    struct prefetch_plan p = read_advised(&s, 500u * BLOCK + 100, 4096, PREFETCH_SEQUENTIAL);
    assert_true(p.sequential);
    assert_int_equal(p.from, 501ull * BLOCK);
    assert_int_equal(bytes(p), 8 * BLOCK); /* twice what a run begins with */
    uint64_t asked = p.to;
    for (uint64_t i = 501; i < 600; i++) {
        p = read_advised(&s, i * BLOCK, BLOCK, PREFETCH_SEQUENTIAL);
        asked += bytes(p);
        assert_true(asked <= (i + 1) * BLOCK + MOST); /* but no more than any run's */
    }
}

static void test_advice_random(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(bytes(read_advised(&s, i * BLOCK, BLOCK, PREFETCH_RANDOM)), 0);
    /* Another reader's run goes on as if they had not been. */
    struct prefetch_plan p = read_block(&s, 0, BLOCKS, true);
    assert_int_equal(bytes(p), 4 * BLOCK);
    for (uint64_t i = 100; i < 200; i += 3)
        assert_false(read_advised(&s, i * BLOCK, BLOCK, PREFETCH_RANDOM).sequential);
    assert_true(read_block(&s, 1, BLOCKS, false).sequential);
}

static void test_part_bytes(void **state)
{
    (void)state;
    assert_int_equal(prefetch_part_bytes(1, BLOCK), BLOCK);
    assert_int_equal(prefetch_part_bytes(64u << 20, BLOCK), 8u << 20);
    assert_int_equal(prefetch_part_bytes(100u << 20, BLOCK), 12u << 20);
    assert_int_equal(prefetch_part_bytes(UINT64_MAX, BLOCK), 32u << 20);
}

static void test_allowance(void **state)
{
    struct allowance a = {0};
    const uint64_t cache = 400u << 20, most = 100u << 20;
    (void)state;
    assert_int_equal(allowance_take(&a, 10, cache, 5000), 10);
    assert_int_equal(allowance_take(&a, UINT64_MAX, cache, 5000), most - 10);
    assert_int_equal(allowance_take(&a, 1, cache, 5000), 0);
    allowance_return(&a, 1000);
    assert_int_equal(allowance_take(&a, 5000, cache, 5000), 1000);
    /* A quarter of a minute later a quarter of it is there again, a minute later all of it. */
    uint64_t got = allowance_take(&a, UINT64_MAX, cache, 20000);
    assert_true(got > most / 4 - 60000 && got <= most / 4);
    assert_int_equal(allowance_take(&a, UINT64_MAX, cache, 80000), most);
    assert_int_equal(allowance_take(&a, 1, cache, 70000), 0); /* a clock that goes back */
    allowance_return(&a, UINT64_MAX);
    assert_int_equal(allowance_take(&a, UINT64_MAX, cache, 70000), most);
    assert_int_equal(allowance_take(&a, 100, 0, 200000), 0); /* no cache */
}

/* 64 jobs that want a tebibyte each, once a second for five minutes. */
static void test_allowance_of_many(void **state)
{
    struct allowance a = {0};
    const uint64_t cache = 200ull << 30;
    uint64_t granted = 0;
    (void)state;
    for (int second = 1; second <= 300; second++)
        for (int job = 0; job < 64; job++)
            granted += allowance_take(&a, 1ull << 40, cache, second * 1000);
    assert_true(granted <= cache / 4 * 6);
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
        cmocka_unit_test(test_given_more_is_not_going_on),
        cmocka_unit_test(test_interleaved_runs),
        cmocka_unit_test(test_end_of_file),
        cmocka_unit_test(test_followers_add_nothing),
        cmocka_unit_test(test_second_pass),
        cmocka_unit_test(test_stopped_early),
        cmocka_unit_test(test_advice_sequential),
        cmocka_unit_test(test_advice_random),
        cmocka_unit_test(test_part_bytes),
        cmocka_unit_test(test_allowance),
        cmocka_unit_test(test_allowance_of_many),
        cmocka_unit_test(test_evict_goal),
        cmocka_unit_test(test_evict_picks_oldest),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
