/* agent/layout: what is taken for safetensors, GGUF or npz, and what is found in it.
 * (Files as their own libraries write them: tests/agent/formats.py.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/layout.h"

/* A file being written; what lies behind `len` is all zeros, and not looked at. */
struct file {
    unsigned char *bytes;
    size_t len;
};

static void put(struct file *f, const void *data, size_t len)
{
    f->bytes = realloc(f->bytes, f->len + len);
    memcpy(f->bytes + f->len, data, len);
    f->len += len;
}

static void put_number(struct file *f, uint64_t n, int n_bytes)
{
    unsigned char bytes[8];
    for (int i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(n >> 8 * i);
    put(f, bytes, (size_t)n_bytes);
}

static void put_string(struct file *f, const char *text)
{
    put_number(f, strlen(text), 8);
    put(f, text, strlen(text));
}

/* Feeds what the scan asks for, in pieces of `most` bytes where that is enough. NULL: no layout.
 * `*looked_at`, unless NULL: how many bytes it was fed. */
static struct layout *scan(const char *name, const struct file *f, uint64_t size, size_t most,
                           size_t *looked_at)
{
    struct layout_scan *s = layout_scan_new(name, size);
    struct layout_need need;
    assert_non_null(s);
    while ((need = layout_scan_need(s)).least_bytes > 0 && need.at <= f->len &&
           need.least_bytes <= f->len - need.at) {
        size_t len = f->len - need.at;
        if (len > most)
            len = most > need.least_bytes ? most : need.least_bytes;
        layout_scan_feed(s, f->bytes + need.at, len);
        if (looked_at)
            *looked_at += len;
    }
    return layout_scan_take(s);
}

static void check_part(const struct layout *l, uint64_t at, uint64_t from, uint64_t to)
{
    struct layout_part p = layout_find(l, at);
    assert_int_equal(p.from, from);
    assert_int_equal(p.to, to);
}

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

/* --- GGUF --------------------------------------------------------------------------------- */

enum { U8 = 0, U32 = 4, STRING = 8, ARRAY = 9, U64 = 10 };

static struct file gguf(uint32_t version, uint64_t tensors, uint64_t keys)
{
    struct file f = {0};
    put(&f, "GGUF", 4);
    put_number(&f, version, 4);
    put_number(&f, tensors, 8);
    put_number(&f, keys, 8);
    return f;
}

static void put_key(struct file *f, const char *name, uint32_t type)
{
    put_string(f, name);
    put_number(f, type, 4);
}

static void put_array(struct file *f, const char *name, uint32_t type, uint64_t n)
{
    put_key(f, name, ARRAY);
    put_number(f, type, 4);
    put_number(f, n, 8);
}

static void put_tensor(struct file *f, const char *name, uint64_t offset)
{
    put_string(f, name);
    put_number(f, 2, 4);
    put_number(f, 1000, 8);
    put_number(f, 1000, 8);
    put_number(f, 0, 4);
    put_number(f, offset, 8);
}

/* With every kind of key, three tensors, and an alignment. Its header ends at f.len. */
static struct file whole_gguf(uint32_t version, int n_words)
{
    struct file f = gguf(version, 3, 5);
    put_key(&f, "general.name", STRING);
    put_string(&f, "a model");
    put_key(&f, "general.alignment", U32);
    put_number(&f, 256, 4);
    put_array(&f, "words", STRING, (uint64_t)n_words);
    for (int i = 0; i < n_words; i++)
        put_string(&f, i % 2 ? "" : "a word");
    put_array(&f, "numbers", U64, 1000);
    for (int i = 0; i < 1000; i++)
        put_number(&f, UINT64_MAX, 8);
    put_key(&f, "flag", U8);
    put_number(&f, 1, 1);
    put_tensor(&f, "second", 4096);
    put_tensor(&f, "first", 0);
    put_tensor(&f, "third", 8192);
    return f;
}

static struct layout *scan_gguf(const struct file *f, uint64_t size)
{
    return scan("a.gguf", f, size, SIZE_MAX, NULL);
}

static void test_tensors_of_gguf(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        for (size_t most = 1; most < 1 << 20; most = most * 3 + 1) {
            struct file f = whole_gguf(version, 500);
            uint64_t data = (f.len + 255) / 256 * 256, size = data + 10000;
            struct layout *l = scan("a.gguf", &f, size, most, NULL);
            assert_non_null(l);
            assert_int_equal(l->n, 4);
            check_part(l, 0, 0, data);
            check_part(l, data - 1, 0, data);
            check_part(l, data, data, data + 4096);
            check_part(l, data + 5000, data + 4096, data + 8192);
            check_part(l, data + 9999, data + 8192, size);
            free(l);
            free(f.bytes);
        }
    }
}

/* Of an array of numbers nothing is read. */
static void test_values_are_passed_over(void **state)
{
    struct file f = gguf(3, 1, 1);
    size_t looked_at = 0;
    (void)state;
    put_array(&f, "numbers", U64, 1 << 20);
    f.bytes = realloc(f.bytes, f.len + (8 << 20));
    f.len += 8 << 20;
    put_tensor(&f, "only", 0);
    struct layout *l = scan("a.gguf", &f, f.len + 100, 4096, &looked_at);
    assert_non_null(l);
    assert_true(looked_at < 3 * 4096);
    free(l);
    free(f.bytes);
}

/* Two tensors at one place, and one that another's offset lies in. */
static void test_tensors_that_overlap(void **state)
{
    struct file f = gguf(3, 3, 0);
    (void)state;
    put_tensor(&f, "a", 64);
    put_tensor(&f, "b", 64);
    put_tensor(&f, "c", 65);
    uint64_t data = (f.len + 31) / 32 * 32;
    struct layout *l = scan_gguf(&f, data + 100);
    assert_non_null(l);
    assert_int_equal(l->n, 3);
    check_part(l, data + 64, data + 64, data + 65);
    check_part(l, data + 65, data + 65, data + 100);
    check_part(l, data + 63, 0, 0);
    free(l);
    free(f.bytes);
}

/* The bytes of a key "a" of this type, of a number, of an array's type and length. */
#define BYTES(text) text, sizeof(text) - 1
#define KEY(type)   "\1\0\0\0\0\0\0\0a" type "\0\0\0"
#define MOST        "\377\377\377\377\377\377\377\377"
#define OF(type)    type "\0\0\0"
#define ALIGNMENT   "\21\0\0\0\0\0\0\0general.alignment\4\0\0\0"

/* A file of one key and one tensor. */
static const struct lie {
    const char *name;
    uint32_t version;
    uint64_t tensors, keys;
    const char *key;
    size_t key_bytes;
    const char *tensor; /* NULL: a right one at `offset` */
    size_t tensor_bytes;
    uint64_t offset;
} lies[] = {
    {"version 1", 1, 1, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"version 4", 4, 1, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"big endian", 3u << 24, 1, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"no tensors", 3, 0, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"more tensors", 3, 2, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"too many tensors", 3, LAYOUT_PARTS_MAX, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"all tensors", 3, UINT64_MAX, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"all keys", 3, 1, UINT64_MAX, BYTES(KEY("\0") "\1"), NULL, 0, 0},
    {"long name", 3, 1, 1, BYTES(MOST), NULL, 0, 0},
    {"name of 65536", 3, 1, 1, BYTES("\0\0\1\0\0\0\0\0"), NULL, 0, 0},
    {"unknown type", 3, 1, 1, BYTES(KEY("\15") "\1"), NULL, 0, 0},
    {"last type", 3, 1, 1, BYTES("\1\0\0\0\0\0\0\0a\377\377\377\377\1"), NULL, 0, 0},
    {"long string", 3, 1, 1, BYTES(KEY("\10") MOST), NULL, 0, 0},
    {"string back", 3, 1, 1, BYTES(KEY("\10") "\370\377\377\377\377\377\377\377"), NULL, 0, 0},
    {"array of arrays", 3, 1, 1, BYTES(KEY("\11") OF("\11") "\1\0\0\0\0\0\0\0"), NULL, 0, 0},
    {"array of what", 3, 1, 1, BYTES(KEY("\11") OF("\15") "\1\0\0\0\0\0\0\0"), NULL, 0, 0},
    {"10^9 numbers", 3, 1, 1, BYTES(KEY("\11") OF("\12") "\0\312\232\73\0\0\0\0"), NULL, 0, 0},
    {"all numbers", 3, 1, 1, BYTES(KEY("\11") OF("\12") MOST), NULL, 0, 0},
    {"2^61 numbers", 3, 1, 1, BYTES(KEY("\11") OF("\12") "\0\0\0\0\0\0\0\40"), NULL, 0, 0},
    {"10^9 strings", 3, 1, 1, BYTES(KEY("\11") OF("\10") "\0\312\232\73\0\0\0\0"), NULL, 0, 0},
    {"all strings", 3, 1, 1, BYTES(KEY("\11") OF("\10") MOST), NULL, 0, 0},
    {"a long one", 3, 1, 1, BYTES(KEY("\11") OF("\10") "\1\0\0\0\0\0\0\0" MOST), NULL, 0, 0},
    {"alignment 0", 3, 1, 1, BYTES(ALIGNMENT "\0\0\0\0"), NULL, 0, 0},
    {"alignment 48", 3, 1, 1, BYTES(ALIGNMENT "\60\0\0\0"), NULL, 0, 0},
    {"alignment 2^31", 3, 1, 1, BYTES(ALIGNMENT "\0\0\0\200"), NULL, 0, 0},
    {"tensor's name", 3, 1, 1, BYTES(KEY("\0") "\1"), BYTES(MOST), 0},
    {"dimensions", 3, 1, 1, BYTES(KEY("\0") "\1"), BYTES("\0\0\0\0\0\0\0\0\11\0\0\0"), 0},
    {"last offset", 3, 1, 1, BYTES(KEY("\0") "\1"), NULL, 0, UINT64_MAX},
    {"offset behind", 3, 1, 1, BYTES(KEY("\0") "\1"), NULL, 0, 5000},
};
static const struct lie truth = {"", 3, 1, 1, BYTES(KEY("\0") "\1"), NULL, 0, 0};

static struct file liar(const struct lie *lie)
{
    struct file f = gguf(lie->version, lie->tensors, lie->keys);
    put(&f, lie->key, lie->key_bytes);
    if (lie->tensor)
        put(&f, lie->tensor, lie->tensor_bytes);
    else
        put_tensor(&f, "t", lie->offset);
    for (int i = 0; i < 200; i++) /* what it may look at */
        put_number(&f, UINT64_MAX, 8);
    return f;
}

static void test_what_is_no_gguf(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct file f = liar(&lies[i]);
        if (scan_gguf(&f, 5000))
            fail_msg("'%s' has a layout", lies[i].name);
        free(f.bytes);
    }
    struct file f = liar(&truth);
    struct layout *l = scan_gguf(&f, 5000);
    assert_non_null(l);
    free(l);
    f.bytes[0] = 'g';
    assert_null(scan_gguf(&f, 5000));
    free(f.bytes);
}

/* Cut anywhere, it waits for more; and is no GGUF where the file ends there. */
static void test_cut_gguf(void **state)
{
    struct file f = whole_gguf(3, 20);
    size_t whole = f.len;
    (void)state;
    for (f.len = 0; f.len < whole; f.len++) {
        assert_null(scan_gguf(&f, f.len));
        assert_null(scan_gguf(&f, 1 << 20));
    }
    assert_null(scan_gguf(&f, whole)); /* nothing behind it */
    free(f.bytes);
}

static void test_headers_too_long(void **state)
{
    (void)state;
    for (uint64_t len = (32u << 20) - 200; len <= 32u << 20; len += 200) {
        struct file f = gguf(3, 1, 1);
        put_array(&f, "numbers", U8, len);
        f.bytes = realloc(f.bytes, f.len + len);
        f.len += len;
        put_tensor(&f, "only", 0);
        struct layout *l = scan_gguf(&f, 1u << 30);
        assert_int_equal(l != NULL, len < 32u << 20);
        free(l);
        free(f.bytes);
    }
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
        cmocka_unit_test(test_tensors_of_gguf),
        cmocka_unit_test(test_values_are_passed_over),
        cmocka_unit_test(test_tensors_that_overlap),
        cmocka_unit_test(test_what_is_no_gguf),
        cmocka_unit_test(test_cut_gguf),
        cmocka_unit_test(test_headers_too_long),
        cmocka_unit_test(test_members_of_npz),
        cmocka_unit_test(test_what_is_no_npz),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
