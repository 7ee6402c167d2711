/* fetch/index_segment: what a node says in Redis of 512 blocks, and under which names;
 * common/secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/secret.h"
#include "fetch/index_segment.h"

static struct segment *make_segment(struct segment **table, uint64_t block, uint64_t blocks)
{
    static const struct secret secret;
    struct index_block b = {.version = {7}, .block = block, .blocks = blocks};
    return segment_get(table, &b, &secret);
}

static void test_own_blocks(void **state)
{
    struct segment *table = NULL;
    uint8_t value[SEGMENT_BYTES];
    (void)state;
    struct segment *s = make_segment(&table, 600, 700); /* the second of two: 188 blocks */
    assert_int_equal(s->n_blocks, 188);
    assert_int_equal(segment_encode_own(s, value), -1); /* nothing: no field */
    segment_set_own(s, 512, true);
    assert_true(s->dirty);
    assert_int_equal(segment_encode_own(s, value), 1); /* no zeros at the end */
    assert_int_equal(value[0], 1);
    segment_set_own(s, 699, true);
    assert_int_equal(segment_encode_own(s, value), 24);
    segment_set_own(s, 700, true); /* no such block */
    for (uint64_t b = 512; b < 700; b++)
        segment_set_own(s, b, true);
    assert_int_equal(segment_encode_own(s, value), 0); /* all of them */
    for (uint64_t b = 512; b < 700; b++)
        segment_set_own(s, b, false);
    s->own_reads = true;
    assert_int_equal(segment_encode_own(s, value), 1);
    assert_int_equal(value[0], 0);
    segment_free_all(&table);
}

static void test_view(void **state)
{
    static const uint8_t some[] = {0x05}, lies[100] = {0xff, 0xff};
    const struct segment_value values[] = {
        {1, some, 1}, {2, NULL, 0}, {3, some, 1}, {4, lies, 100}};
    struct segment *table = NULL;
    (void)state;
    struct segment *s = make_segment(&table, 0, 20);
    segment_set_view(s, values, 4, 3, 1000); /* 3 is ourselves */
    assert_int_equal(s->n_holders, 3);
    assert_true(segment_holds(s, 0, 0) && !segment_holds(s, 0, 1) && segment_holds(s, 0, 2));
    assert_true(segment_holds(s, 1, 19));
    assert_false(segment_holds(s, 1, 20));
    assert_true(segment_holds(s, 2, 15) && !segment_holds(s, 2, 16));
    segment_forget(s, 2, 19);
    assert_false(segment_holds(s, 1, 19));
    segment_free_all(&table);
}

static void test_table_is_bounded(void **state)
{
    struct segment *table = NULL;
    (void)state;
    for (uint64_t i = 0; i < SEGMENTS_MAX + 100; i++)
        make_segment(&table, i * SEGMENT_BLOCKS, UINT64_C(1) << 40);
    make_segment(&table, 0, UINT64_C(1) << 40); /* used last: stays */
    segment_trim(&table);
    assert_int_equal(HASH_COUNT(table), SEGMENTS_MAX);
    uint8_t version[INDEX_VERSION_BYTES] = {7};
    assert_non_null(segment_find(table, version, 0));
    assert_null(segment_find(table, version, 1));
    segment_free_all(&table);
}

static void test_names_need_the_secret(void **state)
{
    struct secret a = {.is_set = true, .key = {1}}, b = {.is_set = true, .key = {2}};
    const uint8_t version[INDEX_VERSION_BYTES] = {9};
    char one[INDEX_TAG_SIZE], two[INDEX_TAG_SIZE], key[SECRET_LINK_SIZE], other[SECRET_LINK_SIZE];
    (void)state;
    segment_tag(&a, version, one);
    segment_tag(&b, version, two);
    assert_int_equal(strlen(one), 19);
    assert_string_not_equal(one, two);
    secret_link_key(&a, key);
    secret_link_key(&b, other);
    assert_string_not_equal(key, other);
    assert_null(strstr(key, one + 2));
}

/* As nginx computes it: base64url of MD5("1700000000/blocks/x KEY"), checked with openssl(1). */
static void test_signature(void **state)
{
    char args[SECRET_LINK_ARGS];
    (void)state;
    secret_link_args("KEY", "/blocks/x", 1700000000, args);
    assert_string_equal(args, "t=TpVISUdn1oLGmJYC4gYrIQ&e=1700000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_blocks),       cmocka_unit_test(test_view),
        cmocka_unit_test(test_table_is_bounded), cmocka_unit_test(test_names_need_the_secret),
        cmocka_unit_test(test_signature),
    };
    return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
