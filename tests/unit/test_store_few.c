/* A few pieces of a block are in memory until more comes. */
#include "tests/unit/temp_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include "agent/partial.h"
#include "agent/store/block_file.h"

#define BLOCK (4u << 20)
#define PIECE (BLOCK / PARTIAL_PIECES)

static struct version version(void)
{
    struct version v = {.bucket = "b", .key = "k", .size_bytes = 200ull * BLOCK};
    v.block_bytes = BLOCK;
    strcpy(v.etag, "\"abc\"");
    version_name(&v, "http://host");
    return v;
}

static const char *bytes(unsigned piece)
{
    static char data[PIECE];
    memset(data, 'a' + (int)piece % 26, sizeof(data));
    return data;
}

static void write_piece(struct partial *p, unsigned piece)
{
    assert_int_equal(partial_write(p, piece * PIECE, bytes(piece), PIECE, NULL), 0);
}

static void assert_shows(int fd, unsigned piece)
{
    static char found[PIECE];
    assert_int_equal(pread(fd, found, PIECE, (off_t)piece * PIECE), PIECE);
    assert_memory_equal(found, bytes(piece), PIECE);
}

static struct store_numbers numbers(void)
{
    struct store_numbers n;
    store_numbers(store, &n);
    return n;
}

/* Readers from before go on to read what they were told of. */
static void test_more_comes(void **state)
{
    enum { FEW = STORE_FEW_BYTES / PIECE };
    struct version v = version();
    struct partial *p = partial_new(store, &v, 0, 0);
    (void)state;
    for (unsigned i = 0; i < FEW; i++)
        write_piece(p, 2 * i);
    int before = partial_reader(p);
    assert_true(store_is_memory(store, before));
    assert_int_equal(partial_memory_bytes(p), STORE_FEW_BYTES);
    assert_int_equal(numbers().memory_bytes, STORE_FEW_BYTES);
    write_piece(p, 2 * FEW);
    int after = partial_reader(p);
    assert_false(store_is_memory(store, after));
    assert_int_equal(partial_memory_bytes(p), 0);
    assert_int_equal(numbers().memory_bytes, 0);
    for (unsigned i = 0; i < FEW; i++) {
        assert_shows(before, 2 * i);
        assert_shows(after, 2 * i);
    }
    assert_shows(after, 2 * FEW);
    close(before);
    close(after);
    partial_free(p);
}

static void test_all_comes(void **state)
{
    struct version v = version();
    struct partial *p = partial_new(store, &v, 1, 0);
    (void)state;
    write_piece(p, 63);
    int before = partial_reader(p);
    partial_prepare(p, true);
    int after = partial_reader(p);
    assert_true(store_is_memory(store, before));
    assert_false(store_is_memory(store, after));
    assert_shows(before, 63);
    assert_shows(after, 63);
    for (unsigned i = 0; i < 63; i++)
        write_piece(p, i);
    assert_true(partial_is_complete(p));
    assert_true(store_offers(store, &v, 1));
    close(before);
    close(after);
    partial_free(p);
}

/* A block that is no more than that goes to the disk once it is complete. */
static void test_short_block(void **state)
{
    struct version v = version();
    bool published;
    v.size_bytes = 2 * PIECE;
    struct store_writer *w = store_begin(store, &v, 0);
    (void)state;
    assert_int_equal(store_write(w, PIECE, bytes(1), PIECE), 0);
    assert_true(store_in_memory(w));
    assert_int_equal(store_write(w, 0, bytes(0), PIECE), 0);
    int fd = store_commit(w, NULL, &published);
    assert_true(published && store_offers(store, &v, 0));
    assert_true(block_file_verify(fd, &v, 0, true));
    assert_int_equal(numbers().memory_bytes, 0);
    close(fd);
}

/* Where the disk takes nothing, more stays in memory too. */
static void test_disk_takes_nothing(void **state)
{
    enum { FEW = STORE_FEW_BYTES / PIECE };
    struct version v = version();
    struct partial *p = partial_new(store, &v, 2, 0);
    char path[128];
    (void)state;
    snprintf(path, sizeof(path), "%s/tmp", dir);
    for (unsigned i = 0; i < FEW; i++)
        write_piece(p, i);
    assert_int_equal(rmdir(path), 0);
    for (unsigned i = FEW; i < PARTIAL_PIECES; i++)
        write_piece(p, i);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(partial_is_complete(p));
    int fd = store_get(store, &v, 2);
    assert_true(store_is_memory(store, fd));
    for (unsigned i = 0; i < PARTIAL_PIECES; i++)
        assert_shows(fd, i);
    close(fd);
    partial_free(p);
    store_close(store);
    store = store_open(dir, path, sizeof(path));
    assert_non_null(store);
}

/* Of all blocks together only so much is in memory. */
static void test_all_of_them(void **state)
{
    enum { BLOCKS = STORE_FEW_MOST_BYTES / STORE_FEW_BYTES + 2 };
    struct version v = version();
    struct partial *partials[BLOCKS];
    (void)state;
    for (unsigned b = 0; b < BLOCKS; b++) {
        partials[b] = partial_new(store, &v, b + 10, 0);
        for (unsigned i = 0; i < STORE_FEW_BYTES / PIECE; i++)
            write_piece(partials[b], i);
        assert_true(numbers().memory_bytes <= STORE_FEW_MOST_BYTES);
    }
    int last = partial_reader(partials[BLOCKS - 1]);
    assert_false(store_is_memory(store, last));
    assert_shows(last, 0);
    close(last);
    for (unsigned b = 0; b < BLOCKS; b++)
        partial_free(partials[b]);
    assert_int_equal(numbers().memory_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_comes),  cmocka_unit_test(test_all_comes),
        cmocka_unit_test(test_short_block), cmocka_unit_test(test_disk_takes_nothing),
        cmocka_unit_test(test_all_of_them),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
