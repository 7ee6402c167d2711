/* policy/prefetch and policy/evict, replayed on traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/allowance.h"
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

/* A file of `n` parts of 5 blocks and a half behind a header of a thousandth of a block. */
#define HEADER ((uint64_t)BLOCK / 1000)
#define PART   (5ull * BLOCK + BLOCK / 2)

static uint64_t part_at(uint64_t i)
{
    return HEADER + i * PART;
}

/* The job touches the byte `at` of a map: it needs the whole block, and is given `blocks`. */
static struct prefetch_plan touch(struct prefetch_stream *s, uint64_t at, uint64_t n)
{
    uint64_t i = at < HEADER ? 0 : (at - HEADER) / PART;
    struct prefetch_read r = {.from = at / BLOCK * BLOCK,
                              .to = (at / BLOCK + 1) * BLOCK,
                              .need = BLOCK,
                              .size_bytes = part_at(n),
                              .block_bytes = BLOCK,
                              .most_bytes = MOST,
                              .lost = true,
                              .at = at,
                              .part_from = at < HEADER ? 0 : part_at(i),
                              .part_to = at < HEADER ? HEADER : part_at(i + 1)};
    if (r.to > r.size_bytes)
        r.to = r.size_bytes;
    return prefetch_next(s, &r);
}

static void test_jump_to_a_part_fetches_it(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    assert_int_equal(bytes(touch(&s, 0, 1000)), 0); /* of the header nothing is left */
    for (uint64_t i = 700; i > 100; i -= 37) {
        struct prefetch_plan p = touch(&s, part_at(i), 1000);
        assert_true(p.sequential);
        assert_int_equal(p.from, (part_at(i) / BLOCK + 1) * BLOCK); /* the rest, at once */
        assert_int_equal(p.to, (part_at(i + 1) - 1) / BLOCK * BLOCK + BLOCK);
        for (uint64_t at = p.from; at < part_at(i + 1); at += BLOCK)
            assert_int_equal(bytes(touch(&s, at, 1000)), 0); /* and nothing behind it */
    }
}

static void test_parts_in_order_are_a_run(void **state)
{
    struct prefetch_stream s = {0};
    uint64_t asked = BLOCK, reached = 0, ends = 0;
    (void)state;
    for (uint64_t at = 0; at < part_at(50); at += BLOCK) {
        struct prefetch_plan p = touch(&s, at, 50);
        assert_false(p.sweep);
        ends += p.ends;
        assert_true(!p.ends || (p.to > asked ? p.to : asked) >= part_at(50));
        if (bytes(p) > 0) {
            assert_true(p.from >= asked); /* nothing twice */
            asked = p.to;
        }
        if (asked > at + MOST - 2 * BLOCK && !reached)
            reached = at;
    }
    assert_true(reached > 0 && reached < part_at(6)); /* the whole window is ahead soon */
    assert_true(asked >= part_at(50));
    assert_int_equal(ends, 1);
}

/* The window of the header's run reaches over the parts: their reads are not its own, in whatever
 * order, or it would lose its end by them and go on behind the last. */
static void test_nearest_run_takes_the_read(void **state)
{
    static const struct {
        uint64_t at, part_from, part_to; /* in blocks */
    } reads[] = {{25, 25, 35}, {34, 25, 35}, {28, 25, 35},
                 {40, 40, 50}, {49, 40, 50}, {44, 40, 50}};
    struct prefetch_stream s = {0};
    struct prefetch_read r = {.need = BLOCK,
                              .size_bytes = 1000ull * BLOCK,
                              .block_bytes = BLOCK,
                              .most_bytes = MOST,
                              .lost = true,
                              .part_to = 20ull * BLOCK};
    (void)state;
    for (r.from = 0; r.from < r.part_to; r.from += BLOCK) {
        r.at = r.from;
        r.to = r.from + BLOCK;
        prefetch_next(&s, &r);
    }
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        r.from = r.at = reads[i].at * BLOCK;
        r.to = r.from + BLOCK;
        r.part_from = reads[i].part_from * BLOCK;
        r.part_to = reads[i].part_to * BLOCK;
        r.lost = r.from == r.part_from;
        assert_true(prefetch_next(&s, &r).to <= r.part_to);
    }
}

/* A header, however long, and three parts: no more is wanted. */
static void test_header_is_no_jump(void **state)
{
    static const struct {
        uint64_t from, to; /* in blocks */
    } parts[] = {{0, 20}, {50, 60}, {30, 40}, {70, 80}, {90, 100}};
    struct prefetch_stream s = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct prefetch_read r = {.from = parts[i].from * BLOCK,
                                  .to = (parts[i].from + 1) * BLOCK,
                                  .need = BLOCK,
                                  .size_bytes = 100ull * BLOCK,
                                  .block_bytes = BLOCK,
                                  .most_bytes = MOST,
                                  .lost = true,
                                  .at = parts[i].from * BLOCK,
                                  .part_from = parts[i].from * BLOCK,
                                  .part_to = parts[i].to * BLOCK};
        assert_int_equal(prefetch_next(&s, &r).sweep, i == 4);
    }
}

static void test_jump_to_the_last_part_is_no_end(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    struct prefetch_plan p = touch(&s, part_at(49), 50);
    assert_true(bytes(p) > 0);
    assert_false(p.ends);
}

/* The middle of a part is no run, but one that begins there ends with it. */
static void test_no_run_leaves_its_part(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    assert_int_equal(bytes(touch(&s, part_at(300) + 2 * BLOCK, 1000)), 0);
    struct prefetch_plan p = touch(&s, part_at(300) + 3 * BLOCK, 1000);
    assert_true(bytes(p) > 0);
    assert_true(p.to < part_at(301) + BLOCK);
}

/* Parts that are known once the header was read, which goes on for longer than was known. */
static void test_parts_that_become_known(void **state)
{
    struct prefetch_stream s = {0};
    struct prefetch_read r = {.need = BLOCK,
                              .size_bytes = 1000ull * BLOCK,
                              .block_bytes = BLOCK,
                              .most_bytes = MOST,
                              .lost = true};
    uint64_t asked = 0;
    (void)state;
    for (r.from = 0; r.from < 50ull * BLOCK; r.from += BLOCK) {
        r.at = r.from;
        r.to = r.from + BLOCK;
        r.part_to = r.from + 3ull * BLOCK;
        struct prefetch_plan p = prefetch_next(&s, &r);
        asked = bytes(p) > 0 ? p.to : asked;
        assert_true(asked <= r.part_to);
        assert_true(asked > r.from); /* it is read ahead, though */
    }
    s = (struct prefetch_stream){0};
    r.part_to = 0;
    for (r.from = 0; r.from < 2ull * BLOCK; r.from += BLOCK) {
        r.at = r.from;
        r.to = r.from + BLOCK;
        prefetch_next(&s, &r);
    }
    r.part_from = 2ull * BLOCK;
    r.part_to = 40ull * BLOCK;
    for (; r.from < r.part_to; r.from += BLOCK) {
        r.at = r.from;
        r.to = r.from + BLOCK;
        struct prefetch_plan p = prefetch_next(&s, &r);
        asked = bytes(p) > 0 ? p.to : asked;
    }
    assert_int_equal(asked, r.part_to);
}

/* What is stored is read from the disk in front of a run, each block once, and not far ahead; by
 * one who comes again, again. */
static void test_run_over_stored_blocks(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (int pass = 0; pass < 3; pass++) {
        uint64_t warm = 1, n = pass < 2 ? 8 : 100;
        for (uint64_t i = 0; i < n; i++) {
            struct prefetch_plan p = read_block(&s, i, n, false);
            if (p.warm_to > p.warm_from) {
                assert_int_equal(p.warm_from, warm * BLOCK);
                warm = p.warm_to / BLOCK;
            }
            assert_true(p.warm_to <= (i + 1) * BLOCK + PREFETCH_WARM_BYTES);
            assert_true(warm >= i + 2 || warm == n); /* the next one is on its way */
        }
        assert_int_equal(warm, n);
    }
    s = (struct prefetch_stream){0};
    for (uint64_t i = 900; i > 100; i -= 31) { /* random reads */
        struct prefetch_plan p = read_bytes(&s, i * BLOCK, i * BLOCK + 4096, 1000, false);
        assert_int_equal(p.warm_from, p.warm_to);
    }
}

static void test_small_parts_are_random_reads(void **state)
{
    struct prefetch_stream s = {0};
    (void)state;
    for (uint64_t i = 900; i > 100; i -= 31) {
        struct prefetch_read r = {.from = i * BLOCK + 8192,
                                  .to = i * BLOCK + 16384,
                                  .need = 8192,
                                  .size_bytes = 1000ull * BLOCK,
                                  .block_bytes = BLOCK,
                                  .most_bytes = MOST,
                                  .lost = true,
                                  .at = i * BLOCK + 8192,
                                  .part_from = i * BLOCK + 8192,
                                  .part_to = i * BLOCK + 16384};
        struct prefetch_plan p = prefetch_next(&s, &r);
        assert_false(p.sequential || p.sweep);
    }
}

static void test_jumps_to_a_quarter_sweep(void **state)
{
    struct prefetch_stream s = {0};
    unsigned sweeps = 0, jumps = 0;
    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        struct prefetch_plan p = touch(&s, part_at(i * 13 % 40), 40);
        jumps += !sweeps;
        sweeps += p.sweep;
    }
    assert_int_equal(sweeps, 1);
    assert_int_equal(jumps, 11); /* the first is at the header, and no jump */
    s = (struct prefetch_stream){0};
    assert_false(touch(&s, part_at(3), 4).sweep); /* a quarter, but only one part */
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
        cmocka_unit_test(test_jump_to_a_part_fetches_it),
        cmocka_unit_test(test_parts_in_order_are_a_run),
        cmocka_unit_test(test_nearest_run_takes_the_read),
        cmocka_unit_test(test_header_is_no_jump),
        cmocka_unit_test(test_jump_to_the_last_part_is_no_end),
        cmocka_unit_test(test_no_run_leaves_its_part),
        cmocka_unit_test(test_parts_that_become_known),
        cmocka_unit_test(test_run_over_stored_blocks),
        cmocka_unit_test(test_small_parts_are_random_reads),
        cmocka_unit_test(test_jumps_to_a_quarter_sweep),
        cmocka_unit_test(test_part_bytes),
        cmocka_unit_test(test_allowance),
        cmocka_unit_test(test_allowance_of_many),
        cmocka_unit_test(test_evict_goal),
        cmocka_unit_test(test_evict_picks_oldest),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
