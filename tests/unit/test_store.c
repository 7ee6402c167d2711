/* agent/store/store: publishing, finding, verifying, a full disk, eviction. */
#include "tests/unit/stored_blocks.h"

#include <errno.h>

#include "agent/store/block_file.h"
#include "agent/store/look.h"
#include "agent/store/xxh3.h"
#include "common/options.h"

static void test_publish_and_find(void **state)
{
    struct version v = make_version("a", 3 * BLOCK + 5);
    bool published;
    (void)state;
    assert_int_equal(store_get(store, &v, 3), -ENOENT);
    for (uint64_t i = 0; i < 4; i++) {
        int fd = put(&v, i, &published);
        assert_true(fd >= 0 && published);
        assert_holds(fd, &v, i);
        assert_int_equal(write(fd, "x", 1), -1); /* read-only */
        close(fd);
    }
    reopen();
    for (uint64_t i = 0; i < 4; i++) {
        int fd = store_get(store, &v, i);
        assert_true(fd >= 0);
        assert_holds(fd, &v, i);
        assert_true(block_file_verify(fd, &v, i, true));
        assert_false(block_file_verify(fd, &v, i ^ 1, true));
        close(fd);
    }
}

static void test_versions_are_apart(void **state)
{
    struct version v = make_version("a", BLOCK), w = make_version("b", BLOCK);
    struct version x = v;
    bool published;
    (void)state;
    strcpy(x.etag, "\"other\"");
    version_name(&x, "http://host");
    close(put(&v, 0, &published));
    assert_false(store_has(store, &w, 0));
    assert_false(store_has(store, &x, 0));
    version_name(&v, "http://elsewhere");
    assert_false(store_has(store, &v, 0));
}

static void test_padding_is_zero(void **state)
{
    struct version v = make_version("short", 100);
    char page[4096];
    bool published;
    (void)state;
    int fd = put(&v, 0, &published);
    assert_int_equal(pread(fd, page, sizeof(page), 0), 4096);
    for (int i = 100; i < 4096; i++)
        assert_int_equal(page[i], 0);
    close(fd);
}

static void test_incomplete_is_refused(void **state)
{
    struct version v = make_version("a", BLOCK);
    bool published;
    (void)state;
    struct store_writer *w = store_begin(store, &v, 0);
    assert_int_equal(store_write(w, 0, "abc", 3), 0);
    assert_int_equal(store_commit(w, NULL, &published), -EIO);
    assert_false(store_has(store, &v, 0));
    w = store_begin(store, &v, 0);
    char too_much[BLOCK + 1] = {0};
    assert_int_equal(store_write(w, 0, too_much, sizeof(too_much)), -EIO);
    store_abort(w, -1);
}

static int64_t used_bytes(void)
{
    struct store_numbers n;
    store_numbers(store, &n);
    return (int64_t)n.used_bytes;
}

/* Its length says what was written nevertheless: an unseen reader gets no zeros. */
static void test_all_has_its_room_at_once(void **state)
{
    struct version v = make_version("a", BLOCK);
    struct stat st;
    bool published;
    (void)state;
    int64_t before = used_bytes();
    struct store_writer *w = store_begin(store, &v, 0);
    store_expect_all(w);
    assert_int_equal(store_write(w, 0, "abc", 3), 0);
    int fd = store_reader(w);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_true(st.st_blocks * 512 > BLOCK);
    assert_true(used_bytes() - before > BLOCK);
    store_abort(w, fd);
    assert_int_equal(used_bytes(), before);

    static char data[BLOCK];
    fill(data, BLOCK, 1);
    w = store_begin(store, &v, 0);
    store_expect_all(w);
    assert_int_equal(store_write(w, 0, data, BLOCK), 0);
    fd = store_commit(w, NULL, &published);
    assert_true(published);
    assert_holds(fd, &v, 0);
    assert_false(store_is_memory(store, fd));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(used_bytes() - before, st.st_blocks * 512);
    close(fd);
}

static void spoil(const struct version *v, off_t at)
{
    char path[256], c;
    block_path(v, 0, path, sizeof(path));
    chmod(path, 0600);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void test_spoiled_after_reboot(void **state)
{
    struct version v = make_version("a", 1000);
    char path[256];
    bool published;
    (void)state;
    /* Data, its last byte, the trailer's magic, checksum, names. */
    static const off_t places[] = {0, 999, 4096, 4105, 4150, 4170};
    static const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        close(put(&v, 0, &published));
        spoil(&v, places[i]);
        block_path(&v, 0, path, sizeof(path));
        assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
        snprintf(path, sizeof(path), "%s/boot", dir);
        unlink(path); /* as if the store came from another boot */
        reopen();
        assert_int_equal(store_get(store, &v, 0), -ENOENT);
        assert_false(store_has(store, &v, 0));
    }
    struct store_numbers n;
    store_numbers(store, &n);
    assert_true(n.bad_blocks > 0);
}

/* What was written in this boot is not read once more to be verified, however soon it is used. */
static void test_fresh_block_is_not_suspect(void **state)
{
    struct version v = make_version("a", 1000);
    char path[256];
    struct stat st;
    bool published;
    (void)state;
    close(put(&v, 0, &published));
    block_path(&v, 0, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);
    assert_false(store_is_suspect(store, &st));
    reopen();
    assert_false(store_is_suspect(store, &st));
    st.st_mtim.tv_sec--;
    assert_true(store_is_suspect(store, &st));
}

static void test_short_file_is_dropped(void **state)
{
    struct version v = make_version("a", BLOCK);
    char path[256];
    bool published;
    (void)state;
    close(put(&v, 0, &published));
    block_path(&v, 0, path, sizeof(path));
    chmod(path, 0600);
    assert_int_equal(truncate(path, BLOCK / 2), 0);
    assert_int_equal(store_get(store, &v, 0), -ENOENT);
}

static void count(void *user, const struct version *v, uint64_t index)
{
    (void)v, (void)index;
    ++*(int *)user;
}

/* No file can be made: the block is served from memory, and is right. Others, who don't get it
 * there, are not to wait for it. */
static void test_disk_takes_no_more(void **state)
{
    struct version v = make_version("a", BLOCK);
    char path[256];
    bool published = true;
    int kept = 0;
    (void)state;
    store_watch(store, &(struct store_watcher){.kept = count, .user = &kept});
    snprintf(path, sizeof(path), "%s/tmp", dir);
    assert_int_equal(rmdir(path), 0);
    int fd = put(&v, 0, &published);
    assert_true(fd >= 0);
    assert_false(published);
    assert_holds(fd, &v, 0);
    assert_true(block_file_verify(fd, &v, 0, true));
    close(fd);
    assert_in_memory(&v, 0);
    assert_int_equal(kept, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    close(put(&v, 0, &published));
    assert_true(published);
    assert_int_equal(kept, 1);
}

/* The block can't be published in the end: the same. */
static void test_publishing_fails(void **state)
{
    struct version v = make_version("a", BLOCK);
    char path[256];
    bool published = true;
    (void)state;
    block_path(&v, 0, path, sizeof(path));
    *strrchr(path, '/') = '\0';
    close(open(path, O_CREAT | O_WRONLY, 0600)); /* in the directory's place */
    int fd = put(&v, 0, &published);
    assert_true(fd >= 0);
    assert_false(published);
    assert_holds(fd, &v, 0);
    close(fd);
    assert_in_memory(&v, 0);
    assert_int_equal(unlink(path), 0);
}

/* A block that was begun a while ago has left the page cache when the disk refuses the rest. */
static void test_what_came_before_is_not_cached(void **state)
{
    struct version v = make_version("a", BLOCK);
    static char data[BLOCK];
    char path[256];
    bool published = true;
    (void)state;
    block_path(&v, 0, path, sizeof(path));
    *strrchr(path, '/') = '\0';
    close(open(path, O_CREAT | O_WRONLY, 0600)); /* in the directory's place */
    fill(data, BLOCK, 1);
    uint64_t hash = XXH3_64bits(data, BLOCK);
    struct store_writer *w = store_begin(store, &v, 0);
    assert_int_equal(store_write(w, 0, data, BLOCK), 0);
    int reader = store_reader(w);
    assert_int_equal(fsync(reader), 0);
    assert_int_equal(posix_fadvise(reader, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(reader);
    int fd = store_commit(w, &hash, &published);
    assert_true(fd >= 0);
    assert_false(published);
    assert_holds(fd, &v, 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static int left;

/* Other nodes must not be sent for a block that is gone: one that is evicted is there until that
 * was told, but not to be announced again; one that is bad is gone at once. */
static void on_leaving(void *user, const struct store_place *places, size_t n, bool may_wait)
{
    const struct version *v = user;
    for (size_t i = 0; i < n; i++, left++) {
        assert_memory_equal(&places[i].version, &v->id, sizeof(v->id));
        assert_int_equal(store_has(store, v, places[i].index), may_wait);
        assert_false(store_offers(store, v, places[i].index));
    }
}

static void test_told_before_it_goes(void **state)
{
    struct version v = make_version("a", 4 * BLOCK);
    char path[256];
    bool published;
    (void)state;
    left = 0;
    for (uint64_t i = 0; i < 4; i++)
        close(put(&v, i, &published));
    store_watch(store, &(struct store_watcher){.leaving = on_leaving, .user = &v});
    store_evict_all(store);
    assert_int_equal(left, 4);
    close(put(&v, 0, &published));
    block_path(&v, 0, path, sizeof(path));
    struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    chmod(path, 0600);
    assert_int_equal(truncate(path, BLOCK / 2), 0);
    assert_int_equal(store_get(store, &v, 0), -ENOENT); /* it doesn't verify */
    assert_int_equal(left, 5);
    store_watch(store, NULL);
}

static void test_evict_all(void **state)
{
    struct version v = make_version("a", 4 * BLOCK);
    bool published;
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        close(put(&v, i, &published));
    int held = store_get(store, &v, 2);
    assert_true(store_evict_all(store) >= 4 * BLOCK);
    assert_false(store_has(store, &v, 1));
    assert_holds(held, &v, 2); /* who has it keeps it */
    close(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_publish_and_find),
        WITH_STORE(test_versions_are_apart),
        WITH_STORE(test_padding_is_zero),
        WITH_STORE(test_incomplete_is_refused),
        WITH_STORE(test_all_has_its_room_at_once),
        WITH_STORE(test_spoiled_after_reboot),
        WITH_STORE(test_fresh_block_is_not_suspect),
        WITH_STORE(test_short_file_is_dropped),
        WITH_STORE(test_disk_takes_no_more),
        WITH_STORE(test_publishing_fails),
        WITH_STORE(test_what_came_before_is_not_cached),
        WITH_STORE(test_told_before_it_goes),
        WITH_STORE(test_evict_all),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
