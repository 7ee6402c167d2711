/* agent/meta: what is remembered, and what is let go when it becomes too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/meta.h"

static const char etag[] = "\"0123456789abcdef0123456789abcdef\"";

static void put(const char *key, uint64_t size_bytes, bool readable)
{
    struct meta m = {.kind = META_FILE, .size_bytes = size_bytes, .mtime_s = 77};
    strcpy(m.etag, etag);
    meta_put(1, "bucket", key, &m, readable);
}

static void put_numbered(unsigned n)
{
    char key[64];
    snprintf(key, sizeof(key), "a/walk/of/many/names/%08u", n);
    put(key, n, false);
}

static void test_kept_as_it_was(void **state)
{
    (void)state;
    put("key", 5, true);
    const struct meta *m = meta_find(1, "bucket", "key");
    assert_non_null(m);
    assert_int_equal(m->kind, META_FILE);
    assert_int_equal(m->size_bytes, 5);
    assert_int_equal(m->mtime_s, 77);
    assert_string_equal(m->etag, etag);
    assert_true(m->readable_ms > 0);
    assert_null(meta_find(2, "bucket", "key")); /* another job's credentials */
    assert_null(meta_find(1, "bucke", "t/key"));
    assert_null(meta_find(1, "bucket", "key2"));

    put("key", 5, false); /* a listing says nothing of who may read, and takes nothing away */
    assert_true(meta_find(1, "bucket", "key")->readable_ms > 0);
    struct meta other = {.kind = META_FILE, .etag = "\"other\""};
    meta_put(1, "bucket", "key", &other, false);
    assert_int_equal(meta_find(1, "bucket", "key")->readable_ms, 0);
    assert_string_equal(meta_find(1, "bucket", "key")->etag, "\"other\"");

    struct meta none = {.kind = META_NONE, .not_below_file = true};
    meta_put(1, "bucket", "key", &none, false);
    assert_int_equal(meta_find(1, "bucket", "key")->kind, META_NONE);
    assert_string_equal(meta_find(1, "bucket", "key")->etag, "");
    meta_drop(1, "bucket", "key");
    assert_null(meta_find(1, "bucket", "key"));
}

static void test_bounded(void **state)
{
    (void)state;
    struct meta_numbers n;
    put("in use", 1, true);
    put("not in use", 1, true);
    for (unsigned i = 0; i < 1000000; i++) {
        put_numbered(i);
        if (i % 1000 == 0)
            assert_non_null(meta_find(1, "bucket", "in use"));
    }
    meta_numbers(&n);
    assert_true(n.bytes <= META_BYTES_MAX);
    assert_true(n.names > 150000);
    assert_null(meta_find(1, "bucket", "not in use"));
    assert_non_null(meta_find(1, "bucket", "a/walk/of/many/names/00999999"));
    assert_null(meta_find(1, "bucket", "a/walk/of/many/names/00000000"));
}

static void test_bounded_with_all_in_use(void **state)
{
    (void)state;
    struct meta_numbers n;
    char key[64];
    for (unsigned i = 0; i < 500000; i++) {
        put_numbered(i);
        snprintf(key, sizeof(key), "a/walk/of/many/names/%08u", i);
        assert_non_null(meta_find(1, "bucket", key));
    }
    meta_numbers(&n);
    assert_true(n.bytes <= META_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_as_it_was),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_bounded_with_all_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
