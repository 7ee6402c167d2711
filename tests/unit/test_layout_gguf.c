/* agent/layout: what is taken for GGUF, and what is found in it. */
#include "tests/unit/layout_file.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_of_gguf),
        cmocka_unit_test(test_values_are_passed_over),
        cmocka_unit_test(test_tensors_that_overlap),
        cmocka_unit_test(test_what_is_no_gguf),
        cmocka_unit_test(test_cut_gguf),
        cmocka_unit_test(test_headers_too_long),
    };
    return cmocka_run_group_tests_name("layout-gguf", tests, NULL, NULL);
}
