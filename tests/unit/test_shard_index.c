/* agent/shard_index: which files an index names, and which indexes name none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/shard_index.h"

static struct shard_index *parse(const char *text)
{
    return shard_index_parse(text, strlen(text));
}

static void test_names(void **state)
{
    struct shard_index *x = parse("{\"metadata\":{\"total_size\":9},\"weight_map\":{\"a\":\"m-2\","
                                  "\"b\":\"m-1\",\"c\":\"m-2\",\"d\":\"m-3\",\"e\":\"m-1\"}}");
    (void)state;
    assert_non_null(x);
    assert_int_equal(x->n, 3);
    assert_string_equal(x->names[0], "m-1");
    assert_string_equal(x->names[2], "m-3");
    assert_int_equal(shard_index_find(x, "m-2"), 1);
    assert_int_equal(shard_index_find(x, "m-4"), 3);
    assert_int_equal(shard_index_find(x, ""), 3);
    shard_index_free(x);
    assert_true(shard_index_is_name("m/model.safetensors.index.json"));
    assert_false(shard_index_is_name(".index.json"));
    assert_false(shard_index_is_name("index.json"));
    assert_false(shard_index_is_name("a.index.json/b"));
}

static void test_what_names_none(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"weight_map\":[\"a\"]}",
        "{\"weight_map\":{}}",
        "{\"weight_map\":{\"a\":1}}",
        "{\"weight_map\":{\"a\":\"m\",\"b\":null}}",
        "{\"weight_map\":{\"a\":\"\"}}",
        "{\"weight_map\":{\"a\":\".\"}}",
        "{\"weight_map\":{\"a\":\"..\"}}",
        "{\"weight_map\":{\"a\":\"../other/m\"}}",
        "{\"weight_map\":{\"a\":\"/m\"}}",
        "{\"weight_map\":{\"a\":\"m\\u0000x\"}}",
        "{\"weight_map\":{\"a\":\"m\"}",
        "{\"weight_map\":{\"a\":\"m\"",
        "{\"weight_map\":{\"a\":\"m\",}}",
        "{\"weight_map\":{\"a\"}}",
        "{\"metadata\":{\"weight_map\":{\"a\":\"m\"}}}",
        "{\"metadata\":]},\"weight_map\":{\"a\":\"m\"}}",
        "{\"metadata\":\"\\",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (parse(texts[i]))
            fail_msg("'%s' names files", texts[i]);
}

static void test_what_stands_around_the_names(void **state)
{
    struct shard_index *x = parse(
        " {\n\"metadata\" : {\"a\":[1, -2.5e3, {\"b\": null}, [], \"}]\\\"\"], \"\": true},\r\n"
        "\t\"weight_map\" : { \"x\\\"y\" :\n\"m-1\" , \"z\":\"m-2\" } , \"last\": 1 }");
    (void)state;
    assert_non_null(x);
    assert_int_equal(x->n, 2);
    assert_string_equal(x->names[1], "m-2");
    shard_index_free(x);
}

/* 100,000 tensors that lie in 300 files, as of today's largest models. */
static void test_a_large_index(void **state)
{
    char *text = malloc(16 << 20), *end = text + sprintf(text, "{\"weight_map\":{");
    (void)state;
    for (int i = 0; i < 100000; i++)
        end += sprintf(end, "%s\"model.layers.%d.mlp.experts.weight\": \"model-%05d-of-00300\"",
                       i ? ",\n" : "", i, i * 7919 % 300);
    strcpy(end, "}}");
    struct shard_index *x = parse(text);
    free(text);
    assert_non_null(x);
    assert_int_equal(x->n, 300);
    assert_string_equal(x->names[299], "model-00299-of-00300");
    shard_index_free(x);
}

static void test_names_of_one_form(void **state)
{
    struct shard_index *x = shard_index_of_first("a-00001-of-b-00001-of-00003.gguf");
    (void)state;
    assert_null(x);
    x = shard_index_of_first("Some-model-Q4-00001-of-00003.gguf");
    assert_non_null(x);
    assert_int_equal(x->n, 3);
    assert_string_equal(x->names[0], "Some-model-Q4-00001-of-00003.gguf");
    assert_string_equal(x->names[2], "Some-model-Q4-00003-of-00003.gguf");
    assert_int_equal(shard_index_find(x, "Some-model-Q4-00002-of-00003.gguf"), 1);
    shard_index_free(x);
    static const char *const others[] = {
        "model.gguf",
        "model-00002-of-00003.gguf",
        "model-00001-of-00001.gguf",
        "model-00001-of-01025.gguf",
        "model-00001-of-3.gguf",
        "model-00001-of-000003.gguf",
        "model-00001-of- 0003.gguf",
        "model-00001-of-00003.txt",
        "model-00001-of-00003",
        "model-00001-of-",
        "",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (shard_index_of_first(others[i]))
            fail_msg("'%s' is taken for the first of many", others[i]);
}

static struct shard_index *parse_many(int n, int name_bytes)
{
    char *text = malloc((size_t)n * (size_t)(name_bytes + 32) + 64);
    char *end = text + sprintf(text, "{\"weight_map\":{");
    for (int i = 0; i < n; i++)
        end += sprintf(end, "%s\"%d\":\"%0*d\"", i ? "," : "", i, name_bytes, i);
    strcpy(end, "}}");
    struct shard_index *x = parse(text);
    free(text);
    return x;
}

static void test_bounds(void **state)
{
    static const struct {
        int n, name_bytes;
        size_t want;
    } cases[] = {{SHARD_INDEX_MOST, 10, SHARD_INDEX_MOST},
                 {SHARD_INDEX_MOST + 1, 10, 0},
                 {1, SHARD_NAME_BYTES_MOST, 1},
                 {1, SHARD_NAME_BYTES_MOST + 1, 0},
                 {1000000, 7, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct shard_index *x = parse_many(cases[i].n, cases[i].name_bytes);
        assert_int_equal(x ? x->n : 0, cases[i].want);
        shard_index_free(x);
    }
}

/* The loop would stand still for a third of a second. */
static void test_what_takes_too_long(void **state)
{
    const int n = 4000000;
    char *text = malloc((size_t)n * 8 + 64), *end = text + sprintf(text, "{\"weight_map\":{");
    (void)state;
    for (int i = 0; i < n; i++, end += 8)
        memcpy(end,
               (char[]){i ? ',' : ' ', '"', '"', ':', '"', (char)('A' + i / 26 % 26),
                        (char)('a' + i % 26), '"'},
               8);
    strcpy(end, "}}");
    assert_in_range(strlen(text), 1, SHARD_INDEX_BYTES_MOST);
    assert_null(parse(text));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_names_none),
        cmocka_unit_test(test_what_stands_around_the_names),
        cmocka_unit_test(test_a_large_index),
        cmocka_unit_test(test_names_of_one_form),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_what_takes_too_long),
    };
    return cmocka_run_group_tests_name("shard_index", tests, NULL, NULL);
}
