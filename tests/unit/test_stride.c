/* policy/stride by way of policy/prefetch, replayed on traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/prefetch.h"

#define KIB   ((uint64_t)1 << 10)
#define MIB   ((uint64_t)1 << 20)
#define BLOCK (4 * MIB)
#define SIZE  (4096 * MIB)
#define MOST  (64 * MIB)

/* A reader, and what was planned for it. */
struct reader {
    struct prefetch_stream stream;
    uint64_t size;
    struct stride_plan last;
    uint64_t spans, bytes;
    unsigned char ahead[SIZE / (64 * KIB)]; /* by pieces */
};

static struct reader *reader_new(uint64_t size)
{
    struct reader *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->size = size;
    return r;
}

/* True when what is read was planned before. */
static bool read_at(struct reader *r, uint64_t at, uint64_t need)
{
    const struct prefetch_read read = {.from = at,
                                       .to = at + need,
                                       .need = need,
                                       .size_bytes = r->size,
                                       .block_bytes = BLOCK,
                                       .most_bytes = MOST,
                                       .lost = true};
    bool was_ahead = r->ahead[at / (64 * KIB)];
    r->last = prefetch_next(&r->stream, &read).stride;
    for (uint32_t i = 0; i < r->last.count; i++) {
        uint64_t from = r->last.first + i * (uint64_t)r->last.step;
        assert_true(from < r->size); /* and not below 0 */
        r->spans++;
        r->bytes += r->last.len;
        for (uint64_t p = from; p < from + r->last.len && p < r->size; p += 64 * KIB)
            r->ahead[p / (64 * KIB)] = 1;
    }
    return was_ahead;
}

static void test_backwards(void **state)
{
    const uint64_t sizes[] = {4 * KIB, 64 * KIB, MIB, BLOCK};
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct reader *r = reader_new(400 * MIB);
        uint64_t step =
            sizes[k] < 64 * KIB ? 64 * KIB : sizes[k]; /* the agent hears of each piece */
        uint64_t misses = 0, reads = 0;
        for (uint64_t at = r->size - sizes[k]; at < r->size; at -= step, reads++)
            misses += !read_at(r, at, sizes[k]);
        assert_true(reads >= 100);
        assert_true(misses <= 3 + (step < BLOCK ? BLOCK / step : 1));
        assert_true(r->bytes <= r->size);
        free(r);
    }
}

/* Blocks are complete, and mapped, before the reader is through: it asks for each only once. */
static void test_backwards_by_blocks_that_are_here(void **state)
{
    struct reader *r = reader_new(400 * MIB);
    uint64_t misses = 0;
    (void)state;
    for (uint64_t block = 100; block-- > 0;)
        misses += !read_at(r, block * BLOCK + 3 * MIB, MIB);
    assert_int_equal(misses, 4);
    assert_true(r->bytes <= r->size);
    free(r);
}

static void test_strided(void **state)
{
    const int64_t steps[] = {(int64_t)MIB, -(int64_t)MIB, (int64_t)(5 * MIB + 12345),
                             -(int64_t)(3 * MIB)};
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct reader *r = reader_new(SIZE);
        uint64_t at = steps[k] > 0 ? 12345 : SIZE - 4 * KIB, misses = 0, reads = 0;
        for (; at < SIZE; at += (uint64_t)steps[k], reads++)
            misses += !read_at(r, at, 4 * KIB);
        assert_true(reads >= 800);
        assert_int_equal(misses, 4);
        assert_int_equal(r->last.count, 0); /* nothing behind the end */
        assert_true(r->spans <= reads);     /* none twice */
        free(r);
    }
}

static void test_depth(void **state)
{
    struct reader *r = reader_new(SIZE);
    uint64_t at = 0, n = 0;
    (void)state;
    for (; r->last.count == 0; at += 10 * MIB, n++)
        read_at(r, at, 4 * KIB);
    assert_int_equal(n, 4);
    assert_int_equal(r->last.count, 4);
    assert_int_equal(r->last.first, at);
    assert_int_equal(r->last.len, 4 * KIB);
    for (; n < 100; at += 10 * MIB, n++)
        read_at(r, at, 4 * KIB);
    assert_int_equal(r->spans, 96 + STRIDE_DEEPEST);
    free(r);

    r = reader_new(SIZE); /* large pieces: what may be ahead bounds it */
    for (at = MIB, n = 0; n < 30; at += 40 * MIB, n++)
        read_at(r, at, 2 * MIB);
    assert_int_equal(r->spans, 26 + MOST / (2 * MIB + BLOCK));
    free(r);
}

/* Some places are skipped: they were in the reader's hands. */
static void test_left_out(void **state)
{
    struct reader *r = reader_new(SIZE);
    uint64_t misses = 0;
    (void)state;
    for (uint64_t n = 0; n < 400; n++)
        if (n < 4 || n % 3 != 0)
            misses += !read_at(r, n * 6 * MIB, 4 * KIB);
    assert_int_equal(misses, 4);
    free(r);
}

/* Forked workers that share a file, each with a way of its own. */
static void test_interleaved(void **state)
{
    struct reader *r = reader_new(SIZE);
    uint64_t misses = 0;
    (void)state;
    for (uint64_t n = 0; n < 100; n++)
        for (uint64_t worker = 0; worker < 8; worker++) {
            uint64_t way = n * 5 * MIB + worker * (64 * KIB);
            misses += !read_at(r, worker % 2 ? SIZE - MIB - way : way, 4 * KIB);
        }
    assert_true(misses <= 8 * 5);
    free(r);
}

static void test_parts_of_a_read_are_no_steps(void **state)
{
    struct reader *r = reader_new(SIZE);
    (void)state;
    read_at(r, 40 * MIB, 4 * MIB);
    for (uint64_t n = 1; n < 32; n++)
        read_at(r, 40 * MIB + n * 128 * KIB, 4 * MIB - n * 128 * KIB);
    assert_int_equal(r->spans, 0);
    free(r);
}

static void test_forwards_is_no_stride(void **state)
{
    struct reader *r = reader_new(SIZE);
    (void)state;
    for (uint64_t at = 0; at < SIZE; at += MIB)
        read_at(r, at, MIB);
    assert_int_equal(r->spans, 0);
    free(r);
}

/* Ways that end soon, one after the other, bring little more than was right on them. */
static void test_short_ways_are_bounded(void **state)
{
    struct reader *r = reader_new(SIZE);
    uint64_t right = 0;
    (void)state;
    for (uint64_t way = 0; way < 40; way++)
        for (uint64_t n = 0; n < 9; n++)
            right += read_at(r, way * 100 * MIB + n * (5 + way % 5) * MIB, 4 * KIB);
    assert_true(right >= 10);
    assert_true(r->spans <= 2 * right + right / 2 + 16 + 2 * 9);
    free(r);
}

/* Reads without order bring little, however small the file. */
static void test_random_is_bounded(void **state)
{
    const uint64_t sizes[] = {20 * MIB, 100 * MIB, 1024 * MIB, SIZE};
    const uint64_t reads = 20000;
    (void)state;
    srandom(7);
    for (size_t k = 0; k < 4; k++) {
        struct reader *r = reader_new(sizes[k]);
        for (uint64_t n = 0; n < reads; n++)
            read_at(r, (uint64_t)random() % (r->size / (64 * KIB)) * 64 * KIB, 4 * KIB);
        print_message("%llu MiB: %llu spans of %llu KiB\n", (unsigned long long)(r->size / MIB),
                      (unsigned long long)r->spans, (unsigned long long)(r->bytes / KIB));
        assert_true(r->spans <= reads / 20);
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backwards),
        cmocka_unit_test(test_backwards_by_blocks_that_are_here),
        cmocka_unit_test(test_strided),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_parts_of_a_read_are_no_steps),
        cmocka_unit_test(test_forwards_is_no_stride),
        cmocka_unit_test(test_short_ways_are_bounded),
        cmocka_unit_test(test_random_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
