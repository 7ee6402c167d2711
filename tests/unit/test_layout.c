/* agent/layout: what is taken for a safetensors header, and what is found in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/layout.h"

/* A file's beginning with this JSON; its length. */
static size_t make(unsigned char *out, const char *json)
{
    size_t len = strlen(json);
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)len >> 8 * i);
    memcpy(out + 8, json, len);
    return len + 8;
}

static void test_parts(void **state)
{
    unsigned char file[512];
    size_t len = make(file, "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"data_offsets\":[8,24]},"
                            "\"none\":{\"data_offsets\":[8,8]},\"a\":{\"data_offsets\":[0,8]}}  ");
    uint64_t size = len + 100;
    (void)state;
    assert_int_equal(layout_header_bytes(file, size), len);
    struct layout *l = layout_parse(file, len, size);
    assert_non_null(l);
    assert_int_equal(l->n, 3);
    static const struct {
        uint64_t at, from, to; /* counted from the header's end; at -1: in the header */
    } cases[] = {{0, 0, 8}, {7, 0, 8}, {8, 8, 24}, {23, 8, 24}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct layout_part p = layout_find(l, len + cases[i].at);
        assert_int_equal(p.from, len + cases[i].from);
        assert_int_equal(p.to, len + cases[i].to);
    }
    assert_int_equal(layout_find(l, len - 1).to, len);
    assert_int_equal(layout_find(l, len + 24).to, 0); /* behind the last */
    assert_int_equal(layout_find(l, UINT64_MAX).to, 0);
    free(l);
}

static void test_what_has_none(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}}",
        "{\"a\":{}}",
        "{\"a\":[0,8]}",
        "{\"a\":{\"data_offsets\":[0]}}",
        "{\"a\":{\"data_offsets\":[0,8,9]}}",
        "{\"a\":{\"data_offsets\":[0,8.0]}}",
        "{\"a\":{\"data_offsets\":[8,0]}}",
        "{\"a\":{\"data_offsets\":[-1,8]}}",
        "{\"a\":{\"data_offsets\":[0,101]}}",
        "{\"a\":{\"data_offsets\":[0,9223372036854775807]}}",
        "{\"a\":{\"data_offsets\":[0,99999999999999999999]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unsigned char file[512];
        size_t len = make(file, texts[i]);
        if (layout_parse(file, len, len + 100))
            fail_msg("'%s' has a layout", texts[i]);
    }
}

static void test_lengths(void **state)
{
    static const struct {
        uint64_t len, size;
        size_t want;
    } cases[] = {
        {0, 100, 0},
        {2, 10, 0}, /* nothing behind it */
        {2, 11, 10},
        {(1u << 20) - 8, 1u << 30, 1u << 20},
        {(1u << 20) - 7, 1u << 30, 0},
        {UINT64_MAX, UINT64_MAX, 0},
        {UINT64_MAX - 7, UINT64_MAX, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char first[8];
        for (int k = 0; k < 8; k++)
            first[k] = (unsigned char)(cases[i].len >> 8 * k);
        assert_int_equal(layout_header_bytes(first, cases[i].size), cases[i].want);
    }
}

static void test_too_many_parts(void **state)
{
    char *json = malloc(1 << 20), *end = json;
    unsigned char *file = malloc(1 << 20);
    (void)state;
    *end++ = '{';
    for (int i = 0; i < LAYOUT_PARTS_MAX; i++)
        end += sprintf(end, "%s\"%d\":{\"data_offsets\":[%d,%d]}", i ? "," : "", i, i, i + 1);
    strcpy(end, "}");
    size_t len = make(file, json);
    assert_true(len < LAYOUT_HEADER_MAX);
    assert_null(layout_parse(file, len, 1 << 30));
    free(json);
    free(file);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(layout_is_known_name("m/model-00001-of-00002.safetensors"));
    assert_false(layout_is_known_name(".safetensors"));
    assert_false(layout_is_known_name("model.safetensors.index.json"));
    assert_false(layout_is_known_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_what_has_none),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_too_many_parts),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
