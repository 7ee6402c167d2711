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
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (parse(texts[i]))
            fail_msg("'%s' names files", texts[i]);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_names_none),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests_name("shard_index", tests, NULL, NULL);
}
