/* agent/layout: what is taken for safetensors or npz, and what is found in it. (Files as their own
 * libraries write them: tests/agent/formats.py.) */
#include "tests/unit/layout_file.h"

static void test_names(void **state)
{
    static const char *const none[] = {
        ".safetensors", "model.safetensors.index.json", "", "gguf", "a.gguf.txt", "a.npy"};
    static const char *const some[] = {"m/model-00001-of-00002.safetensors", "a.gguf", "a.npz"};
    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_null(layout_scan_new(none[i], 1 << 20));
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        struct layout_scan *s = layout_scan_new(some[i], 1 << 20);
        assert_non_null(s);
        assert_null(layout_scan_take(s));
    }
}

/* --- safetensors -------------------------------------------------------------------------- */

static struct file safetensors(const char *json)
{
    struct file f = {0};
    put_string(&f, json);
    return f;
}

static struct layout *scan_safetensors(const struct file *f, uint64_t size)
{
    return scan("a.safetensors", f, size, SIZE_MAX, NULL);
}

static void test_parts(void **state)
{
    struct file f =
        safetensors("{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"data_offsets\":[8,24]},"
                    "\"none\":{\"data_offsets\":[8,8]},\"a\":{\"data_offsets\":[0,8]}}  ");
    (void)state;
    struct layout *l = scan_safetensors(&f, f.len + 100);
    assert_non_null(l);
    assert_int_equal(l->n, 3);
    check_part(l, f.len, f.len, f.len + 8);
    check_part(l, f.len + 7, f.len, f.len + 8);
    check_part(l, f.len + 8, f.len + 8, f.len + 24);
    check_part(l, f.len + 23, f.len + 8, f.len + 24);
    check_part(l, f.len - 1, 0, f.len);
    check_part(l, f.len + 24, 0, 0); /* behind the last */
    check_part(l, UINT64_MAX, 0, 0);
    free(l);
    free(f.bytes);
}

static void test_what_is_no_safetensors(void **state)
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
        struct file f = safetensors(texts[i]);
        if (scan_safetensors(&f, f.len + 100))
            fail_msg("'%s' has a layout", texts[i]);
        free(f.bytes);
    }
}

static void test_lengths_of_safetensors(void **state)
{
    static const struct {
        uint64_t len, size;
        size_t want; /* 0: it is not looked at any more */
    } cases[] = {
        {0, 100, 0},
        {1, 100, 0},
        {2, 10, 10},
        {2, 9, 0}, /* not in the file */
        {(1u << 20) - 8, 1u << 30, 1u << 20},
        {(1u << 20) - 7, 1u << 30, 0},
        {UINT64_MAX, UINT64_MAX, 0},
        {UINT64_MAX - 7, UINT64_MAX, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct layout_scan *s = layout_scan_new("a.safetensors", cases[i].size);
        struct file f = {0};
        put_number(&f, cases[i].len, 8);
        layout_scan_feed(s, f.bytes, f.len);
        assert_int_equal(layout_scan_need(s).least_bytes, cases[i].want);
        assert_null(layout_scan_take(s));
        free(f.bytes);
    }
}

static void test_too_many_parts(void **state)
{
    char *json = malloc(1 << 20), *end = json;
    (void)state;
    *end++ = '{';
    for (int i = 0; i < LAYOUT_PARTS_MAX; i++)
        end += sprintf(end, "%s\"%d\":{\"data_offsets\":[%d,%d]}", i ? "," : "", i, i, i + 1);
    strcpy(end, "}");
    struct file f = safetensors(json);
    assert_true(f.len < LAYOUT_PIECE_MAX);
    assert_null(scan_safetensors(&f, 1 << 30));
    free(f.bytes);
    free(json);
}

/* --- npz ---------------------------------------------------------------------------------- */

struct member {
    uint32_t offset;
    uint64_t
        offset64; /* in a Zip64 field, behind as many sizes as the next says; 0: there is none */
    int sizes64;
};

static void put_member(struct file *f, const struct member *m)
{
    static const unsigned char zeros[46] = {0};
    int extra = m->offset64 ? 4 + 8 * m->sizes64 + 8 : 0;
    put(f, "PK\1\2", 4);
    put(f, zeros, 16);
    put_number(f, m->sizes64 > 1 ? UINT32_MAX : 9, 4);
    put_number(f, m->sizes64 > 0 ? UINT32_MAX : 9, 4);
    put_number(f, 5, 2);
    put_number(f, (uint64_t)extra, 2);
    put(f, zeros, 10);
    put_number(f, m->offset, 4);
    put(f, "a.npy", 5);
    if (!extra)
        return;
    put_number(f, 1, 2);
    put_number(f, (uint64_t)extra - 4, 2);
    for (int i = 0; i < m->sizes64; i++)
        put_number(f, 9, 8);
    put_number(f, m->offset64, 8);
}

/* The end of a file of 1000 bytes of members, and the directory; with Zip64's records or without.
 */
static struct file zip_of(const struct member *members, size_t n, bool zip64)
{
    struct file f = {.bytes = calloc(1, 1000), .len = 1000};
    for (size_t i = 0; i < n; i++)
        put_member(&f, &members[i]);
    uint64_t end = f.len, bytes = end - 1000;
    if (zip64) {
        put(&f, "PK\6\6", 4);
        for (int i = 0; i < 9; i++)
            put_number(&f, 0, 4);
        put_number(&f, bytes, 8);
        put_number(&f, 1000, 8);
        put(&f, "PK\6\7\0\0\0\0", 8);
        put_number(&f, end, 8);
        put_number(&f, 1, 4);
    }
    put(&f, "PK\5\6\0\0\0\0", 8);
    put_number(&f, n, 2);
    put_number(&f, n, 2);
    put_number(&f, zip64 ? UINT32_MAX : bytes, 4);
    put_number(&f, zip64 ? UINT32_MAX : 1000, 4);
    put_number(&f, 0, 2);
    return f;
}

static struct layout *scan_npz(const struct file *f)
{
    return scan("a.npz", f, f->len, SIZE_MAX, NULL);
}

static void test_members_of_npz(void **state)
{
    static const struct member members[] = {
        {500, 0, 0}, {UINT32_MAX, 300, 0}, {0, 0, 0}, {UINT32_MAX, 900, 1}, {UINT32_MAX, 950, 2}};
    (void)state;
    for (int zip64 = 0; zip64 < 2; zip64++) {
        struct file f = zip_of(members, 5, zip64);
        struct layout *l = scan_npz(&f);
        assert_non_null(l);
        assert_int_equal(l->n, 6);
        check_part(l, 0, 0, 300);
        check_part(l, 499, 300, 500);
        check_part(l, 899, 500, 900);
        check_part(l, 900, 900, 950);
        check_part(l, 999, 950, 1000);
        check_part(l, 1000, 1000, f.len);
        free(l);
        free(f.bytes);
    }
}

/* Each byte of the records in turn says something else, and each length is cut. */
static void test_what_is_no_npz(void **state)
{
    static const struct member wrong[] = {
        {1001, 0, 0}, {UINT32_MAX, 0, 0}, {UINT32_MAX, 1001, 0}, {UINT32_MAX, UINT64_MAX, 2}};
    static const struct member right = {0, 0, 0};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct file f = zip_of(&wrong[i], 1, false);
        assert_null(scan_npz(&f));
        free(f.bytes);
    }
    for (int zip64 = 0; zip64 < 2; zip64++) {
        struct file f = zip_of(&right, 1, zip64);
        size_t whole = f.len;
        for (size_t at = 1000; at < whole; at++) {
            f.bytes[at] ^= 0xff;
            struct layout *l = scan_npz(&f); /* which it may have: not all of it matters */
            for (size_t i = 0; l && i < l->n; i++)
                assert_true(l->parts[i].to <= whole);
            free(l);
            f.bytes[at] ^= 0xff;
        }
        for (f.len = 0; f.len < whole; f.len++)
            assert_null(scan_npz(&f));
        free(f.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_what_is_no_safetensors),
        cmocka_unit_test(test_lengths_of_safetensors),
        cmocka_unit_test(test_too_many_parts),
        cmocka_unit_test(test_members_of_npz),
        cmocka_unit_test(test_what_is_no_npz),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
