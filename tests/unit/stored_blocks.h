/* Blocks of known bytes in the store of temp_store.h. */
#ifndef WARMPATH_TESTS_STORED_BLOCKS_H
#define WARMPATH_TESTS_STORED_BLOCKS_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/internal.h"
#include "tests/unit/temp_store.h"

#define BLOCK 65536

static inline struct version make_version(const char *key, uint64_t size)
{
    struct version v = {.size_bytes = size, .block_bytes = BLOCK};
    strcpy(v.bucket, "bucket");
    strcpy(v.key, key);
    strcpy(v.etag, "\"abc\"");
    version_name(&v, "http://host");
    return v;
}

static inline void fill(char *data, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
}

static inline int put(const struct version *v, uint64_t index, bool *published)
{
    static char data[BLOCK];
    uint32_t len = version_block_len(v, index);
    fill(data, len, (unsigned)index + 1);
    struct store_writer *w = store_begin(store, v, index);
    assert_int_equal(store_write(w, len / 3, data + len / 3, len - len / 3), 0);
    assert_int_equal(store_write(w, 0, data, len / 3), 0);
    return store_commit(w, NULL, published);
}

static inline void assert_holds(int fd, const struct version *v, uint64_t index)
{
    static char data[BLOCK], found[BLOCK];
    uint32_t len = version_block_len(v, index);
    fill(data, len, (unsigned)index + 1);
    assert_int_equal(pread(fd, found, len, 0), len);
    assert_memory_equal(found, data, len);
}

static inline void reopen(void)
{
    char why[512];
    store_close(store);
    store = store_open(dir, why, sizeof(why));
    assert_non_null(store);
}

/* The name of a block's file, as store.h describes it. */
static inline void block_path(const struct version *v, uint64_t index, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/blocks/%02x/", dir, v->id.bytes[0]);
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, size - (size_t)n, "%02x", v->id.bytes[i]);
    snprintf(out + n, size - (size_t)n, "-%08llx", (unsigned long long)index);
}

/* Found there, for others, too, but not for other nodes; and gone with the store's blocks. */
static inline void assert_in_memory(const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    struct store_numbers n;
    assert_true(store_has(store, v, index) && store_keeps_in_memory(store, &place));
    assert_false(store_offers(store, v, index));
    int fd = store_get(store, v, index);
    assert_holds(fd, v, index);
    assert_true((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
    store_numbers(store, &n);
    assert_int_equal(n.memory_bytes, version_block_len(v, index));
    store_evict_all_soon(store);
    assert_false(store_has(store, v, index));
    for (n.emptying = true; n.emptying; usleep(1000))
        store_numbers(store, &n);
    assert_int_equal(n.memory_bytes, 0);
    assert_true(store_is_memory(store, fd)); /* a reader must not map it, as before */
    close(fd);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

#endif
