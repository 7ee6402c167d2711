/* agent/partial: which pieces a block has, and which are missing. */
#include "tests/unit/temp_store.h"

#include "agent/partial.h"

#define BLOCK (4u << 20)
#define PIECE (BLOCK / PARTIAL_PIECES)

static struct partial *make(uint64_t size)
{
    struct version v = {.bucket = "b", .key = "k", .size_bytes = size, .block_bytes = BLOCK};
    version_name(&v, "http://host");
    return partial_new(store, &v, 0, 0);
}

/* Taking one run after the other, as whoever fetches them does, comes to an end and misses
 * nothing. */
static void assert_runs_cover(const struct partial *p, uint32_t from)
{
    uint64_t missing = partial_missing(p, UINT64_MAX);
    uint32_t at = from;
    for (int i = 0; missing; i++) {
        struct span run = partial_run(p, missing);
        assert_true(i < PARTIAL_PIECES);
        assert_int_equal(run.from, at);
        assert_true(run.to > run.from);
        at = run.to;
        missing &= ~partial_mask(p, run);
    }
    assert_int_equal(at, partial_len(p));
}

static void test_a_block_has_no_pieces_behind_its_end(void **state)
{
    static const uint32_t sizes[] = {1,        100,       PIECE, PIECE + 1,
                                     3u << 20, BLOCK - 1, BLOCK, BLOCK - PIECE};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct partial *p = make(sizes[i]);
        assert_int_equal(partial_missing(p, UINT64_MAX),
                         partial_mask(p, (struct span){0, sizes[i]}));
        assert_runs_cover(p, 0);
        partial_free(p);
    }
}

static void test_what_is_there_is_not_missing(void **state)
{
    static char data[PIECE];
    struct partial *p = make(3 * PIECE + 5);
    (void)state;
    assert_int_equal(partial_write(p, 0, data, PIECE, NULL), 0);
    assert_int_equal(partial_missing(p, UINT64_MAX), 0xe);
    assert_int_equal(partial_missing(p, 0x3), 0x2);
    assert_runs_cover(p, PIECE);
    assert_int_equal(partial_write(p, PIECE, data, PIECE, NULL), 0);
    assert_int_equal(partial_write(p, 2 * PIECE, data, PIECE, NULL), 0);
    assert_int_equal(partial_write(p, 3 * PIECE, data, 5, NULL), 0);
    assert_int_equal(partial_missing(p, UINT64_MAX), 0);
    assert_true(partial_is_complete(p));
    partial_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_has_no_pieces_behind_its_end),
        cmocka_unit_test(test_what_is_there_is_not_missing),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
