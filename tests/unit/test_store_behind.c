/* agent/store/behind: what a slow disk didn't get at once, it gets later. */
#include "tests/unit/temp_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/store/behind.h"
#include "agent/store/block_file.h"
#include "agent/store/evict.h"
#include "agent/store/internal.h"

#define BLOCK  65536
#define PIECE  4096u
#define WAITS  500
#define WAIT_U 10000

/* libc's, but the disk may have no room. */
static atomic_bool no_room;
int fstatvfs(int fd, struct statvfs *out)
{
    (void)fd;
    *out = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_blocks = 1 << 20};
    out->f_bavail = atomic_load(&no_room) ? 10 : 1 << 19;
    return 0;
}

static struct version version(void)
{
    struct version v = {.size_bytes = 100 * BLOCK + 5, .block_bytes = BLOCK};
    strcpy(v.bucket, "bucket");
    strcpy(v.key, "key");
    strcpy(v.etag, "\"abc\"");
    version_name(&v, "http://host");
    return v;
}

static char byte_at(uint64_t index, uint32_t at)
{
    return (char)(index * 31 + at / PIECE + at);
}

static void write_piece(struct store_writer *w, uint64_t index, uint32_t at, uint32_t len)
{
    static char data[PIECE];
    for (uint32_t i = 0; i < len; i++)
        data[i] = byte_at(index, at + i);
    assert_int_equal(store_write(w, at, data, len), 0);
}

static void write_range(struct store_writer *w, const struct version *v, uint64_t index,
                        uint32_t from, uint32_t to)
{
    uint32_t len = version_block_len(v, index);
    for (uint32_t at = from; at < to && at < len; at += PIECE)
        write_piece(w, index, at, len - at < PIECE ? len - at : PIECE);
}

static void assert_right(int fd, const struct version *v, uint64_t index)
{
    static char found[BLOCK];
    uint32_t len = version_block_len(v, index);
    assert_true(fd >= 0);
    assert_true(pread(fd, found, BLOCK, 0) >= len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(found[i], byte_at(index, i));
    assert_true(block_file_verify(fd, v, index, true));
    close(fd);
}

static void fall_behind(void)
{
    for (int i = 0; i < 10; i++)
        store_behind_wrote(store, 1 << 20, 200000000);
    assert_true(store_is_behind(store));
}

/* The disk has it: it is a file there, and memory has it no more. */
static void wait_written(const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    char name[STORE_NAME_MAX];
    store_block_name(v, index, name);
    for (int i = 0; i < WAITS && store_keeps_in_memory(store, &place); i++)
        usleep(WAIT_U);
    assert_false(store_keeps_in_memory(store, &place));
    assert_int_equal(faccessat(store->dir_fd, name, F_OK, 0), 0);
}

static void on_published(void *user, const struct version *v, uint64_t index)
{
    (void)v;
    atomic_fetch_or((atomic_uint *)user, 1u << index);
}

/* Other nodes go on waiting for it. */
static void on_kept(void *user, const struct version *v, uint64_t index)
{
    (void)user, (void)v;
    fail_msg("block %d is given up", (int)index);
}

static void count_kept(void *user, const struct version *v, uint64_t index)
{
    (void)v, (void)index;
    ++*(int *)user;
}

static void test_written_later(void **state)
{
    struct version v = version();
    atomic_uint told = 0;
    bool published;
    (void)state;
    store_watch(store,
                &(struct store_watcher){.published = on_published, .kept = on_kept, .user = &told});
    fall_behind();
    for (uint64_t i = 0; i < 5; i++) {
        struct store_writer *w = store_begin(store, &v, i);
        write_range(w, &v, i, 0, BLOCK);
        assert_true(store_in_memory(w));
        assert_right(store_commit(w, NULL, &published), &v, i);
        assert_false(published);
    }
    for (uint64_t i = 0; i < 5; i++) {
        wait_written(&v, i);
        assert_right(store_get(store, &v, i), &v, i);
    }
    for (int i = 0; i < WAITS && atomic_load(&told) != 0x1f; i++)
        usleep(WAIT_U);
    assert_int_equal(atomic_load(&told), 0x1f);
    struct store_numbers n;
    store_numbers(store, &n);
    assert_int_equal(n.memory_bytes, 0);
    assert_true(n.used_bytes >= 5 * BLOCK);
    store_watch(store, NULL);
}

/* Its beginning is on the disk; the short last block, and one of which nothing has come yet. */
static void test_under_way(void **state)
{
    struct version v = version();
    uint64_t last = version_blocks(&v) - 1;
    bool published;
    (void)state;
    struct store_writer *begun = store_begin(store, &v, 7), *made = store_begin(store, &v, 8);
    struct store_writer *shortest = store_begin(store, &v, last);
    store_expect_all(begun);
    store_expect_all(made);
    int reader = store_reader(made);
    assert_true(reader >= 0);
    close(reader);
    write_range(begun, &v, 7, 8 * PIECE, BLOCK);
    assert_false(store_in_memory(begun));
    fall_behind();
    write_range(begun, &v, 7, 0, 8 * PIECE);
    write_range(made, &v, 8, 0, BLOCK);
    write_range(shortest, &v, last, 0, BLOCK);
    assert_true(store_in_memory(begun) && store_in_memory(made) && store_in_memory(shortest));
    assert_right(store_commit(begun, NULL, &published), &v, 7);
    assert_right(store_commit(made, NULL, &published), &v, 8);
    assert_right(store_commit(shortest, NULL, &published), &v, last);
    static const uint64_t all[] = {7, 8, 100};
    for (int i = 0; i < 3; i++) {
        wait_written(&v, all[i]);
        assert_right(store_get(store, &v, all[i]), &v, all[i]);
    }
}

/* Quick writes for a while, and nothing left: blocks go to the disk again. */
static void test_it_ends(void **state)
{
    struct version v = version();
    bool published;
    (void)state;
    fall_behind();
    assert_true(store_room_ahead(store) < UINT64_MAX);
    store_watch_disk(store);
    assert_true(store_is_behind(store));
    for (int i = 0; i < 100; i++)
        store_behind_wrote(store, 1 << 20, 300000);
    store_watch_disk(store);
    assert_false(store_is_behind(store));
    assert_true(store_room_ahead(store) == UINT64_MAX);
    struct store_writer *w = store_begin(store, &v, 1);
    write_range(w, &v, 1, 0, BLOCK);
    assert_right(store_commit(w, NULL, &published), &v, 1);
    assert_true(published);
}

static void put(const struct version *v, uint64_t index)
{
    bool published;
    struct store_writer *w = store_begin(store, v, index);
    write_range(w, v, index, 0, BLOCK);
    assert_right(store_commit(w, NULL, &published), v, index);
}

/* Others have filled the disk meanwhile: the store's older blocks make way, as they always do. */
static void test_no_room(void **state)
{
    struct version v = version();
    struct store_numbers n = {0};
    (void)state;
    put(&v, 0);
    fall_behind();
    atomic_store(&no_room, true);
    put(&v, 1);
    for (int i = 0; i < WAITS && n.evicted_blocks == 0; i++) {
        store_watch_disk(store);
        usleep(WAIT_U);
        store_numbers(store, &n);
    }
    atomic_store(&no_room, false);
    assert_true(n.evicted_blocks > 0);
}

/* Full and slow at once: other nodes don't wait for the block, and it's tried again, though no new
 * one goes there. */
static void test_full(void **state)
{
    struct version v = version();
    struct store_place place = {v.id, 1};
    int kept = 0;
    (void)state;
    store_watch(store, &(struct store_watcher){.kept = count_kept, .user = &kept});
    fall_behind();
    store_refused(store, ENOSPC);
    put(&v, 1);
    assert_int_equal(kept, 1);
    assert_true(store_keeps_in_memory(store, &place));
    for (int i = 0; i < WAITS && store_keeps_in_memory(store, &place); i++) {
        store_watch_disk(store);
        usleep(WAIT_U);
    }
    wait_written(&v, 1);
    assert_right(store_get(store, &v, 1), &v, 1);
    store_watch(store, NULL);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_written_later), WITH_STORE(test_under_way), WITH_STORE(test_it_ends),
        WITH_STORE(test_no_room),       WITH_STORE(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
