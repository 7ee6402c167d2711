/* policy/prefetch where the object's parts are known: jumps from one to another. */
#include "tests/unit/prefetch_reads.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("prefetch-parts", tests, NULL, NULL);
}
