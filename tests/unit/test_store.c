/* agent/store: publishing, finding, verifying, a full disk, eviction. */
#include "tests/unit/temp_store.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/block_file.h"
#include "agent/buffer.h"
#include "agent/store.h"
#include "agent/store_internal.h"
#include "agent/store_put.h"
#include "agent/xxh3.h"
#include "common/options.h"

#define BLOCK 65536

static struct version make_version(const char *key, uint64_t size)
{
    struct version v = {.size_bytes = size, .block_bytes = BLOCK};
    strcpy(v.bucket, "bucket");
    strcpy(v.key, key);
    strcpy(v.etag, "\"abc\"");
    version_name(&v, "http://host");
    return v;
}

static void fill(char *data, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((seed = seed * 1103515245 + 12345) >> 16);
}

static int put(const struct version *v, uint64_t index, bool *published)
{
    static char data[BLOCK];
    uint32_t len = version_block_len(v, index);
    fill(data, len, (unsigned)index + 1);
    struct store_writer *w = store_begin(store, v, index);
    assert_int_equal(store_write(w, len / 3, data + len / 3, len - len / 3), 0);
    assert_int_equal(store_write(w, 0, data, len / 3), 0);
    return store_commit(w, NULL, published);
}

static void assert_holds(int fd, const struct version *v, uint64_t index)
{
    static char data[BLOCK], found[BLOCK];
    uint32_t len = version_block_len(v, index);
    fill(data, len, (unsigned)index + 1);
    assert_int_equal(pread(fd, found, len, 0), len);
    assert_memory_equal(found, data, len);
}

static void reopen(void)
{
    char why[512];
    store_close(store);
    store = store_open(dir, why, sizeof(why));
    assert_non_null(store);
}

/* The name of a block's file, as store.h describes it. */
static void block_path(const struct version *v, uint64_t index, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/blocks/%02x/", dir, v->id.bytes[0]);
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, size - (size_t)n, "%02x", v->id.bytes[i]);
    snprintf(out + n, size - (size_t)n, "-%08llx", (unsigned long long)index);
}

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

struct told {
    struct version_id version;
    uint64_t next;
    _Atomic int n;
};

/* In order, and each with the number of all of its version. */
static void on_found(void *user, const struct store_place *place, uint64_t blocks)
{
    struct told *t = user;
    if (memcmp(&t->version, &place->version, sizeof(t->version)) != 0)
        t->next = 0;
    t->version = place->version;
    assert_int_equal(place->index, t->next++);
    assert_int_equal(blocks, 4);
    t->n++;
}

static void test_tells_all(void **state)
{
    struct version a = make_version("a", 3 * BLOCK + 5), b = make_version("b", 4 * BLOCK);
    struct told told = {.n = 0};
    char path[256];
    bool published;
    (void)state;
    memcpy(b.id.bytes, a.id.bytes, sizeof(b.id.bytes));
    b.id.bytes[15] ^= 1; /* both in one folder */
    for (uint64_t i = 4; i-- > 0;) {
        close(put(&a, i, &published));
        close(put(&b, i, &published));
    }
    block_path(&a, 4, path, sizeof(path));
    close(open(path, O_CREAT | O_WRONLY, 0600)); /* no block */
    reopen();
    store_watch(store, &(struct store_watcher){.found = on_found, .user = &told});
    store_tell_all_soon(store);
    while (told.n < 8)
        usleep(1000);
    reopen(); /* told of nothing more */
    assert_int_equal(told.n, 8);
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

/* Found there, for others, too, but not for other nodes; and gone with the store's blocks. */
static void assert_in_memory(const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    struct store_numbers n;
    assert_true(store_has(store, v, index) && store_keeps_in_memory(store, &place));
    assert_false(store_has_file(store, v, index));
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

/* Other nodes must not be sent for a block that is gone. */
static void on_leaving(void *user, const struct store_place *places, size_t n, bool may_wait)
{
    const struct version *v = user;
    (void)may_wait;
    for (size_t i = 0; i < n; i++, left++) {
        assert_memory_equal(&places[i].version, &v->id, sizeof(v->id));
        assert_true(store_has_file(store, v, places[i].index));
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

static void test_second_agent_is_refused(void **state)
{
    char why[512] = "";
    (void)state;
    assert_null(store_open(dir, why, sizeof(why)));
    assert_non_null(strstr(why, "another agent"));
}

static void test_unusable_directory(void **state)
{
    char why[512] = "";
    (void)state;
    assert_null(store_open("/dev/null/cache", why, sizeof(why)));
    assert_non_null(strstr(why, "WARMPATH_CACHE_DIR"));
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

/* --- a block at once --------------------------------------------------------------- */

struct put_answer {
    sem_t done;
    int fd;
    bool found;
};

static void on_put(void *user, int fd, bool found)
{
    struct put_answer *a = user;
    a->fd = fd;
    a->found = found;
    sem_post(&a->done);
}

static struct put_answer put_at_once(const struct version *v, uint64_t index)
{
    struct put_answer a;
    char *data = buffer_take();
    fill(data, version_block_len(v, index), (unsigned)index + 1);
    sem_init(&a.done, 0, 0);
    store_put(store, v, index, data, on_put, &a);
    sem_wait(&a.done);
    sem_destroy(&a.done);
    buffer_give(data);
    return a;
}

static void test_put(void **state)
{
    (void)state;
    struct version v = make_version("a", BLOCK + 777);
    for (uint64_t i = 0; i < 2; i++) {
        struct put_answer a = put_at_once(&v, i);
        assert_false(a.found);
        assert_holds(a.fd, &v, i);
        assert_true(block_file_verify(a.fd, &v, i, true));
        assert_true((fcntl(a.fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
        close(a.fd);
        int fd = store_get(store, &v, i);
        assert_holds(fd, &v, i);
        close(fd);
    }
    struct store_numbers n;
    store_numbers(store, &n);
    assert_in_range(n.used_bytes, BLOCK, 4 * BLOCK);
    struct put_answer again = put_at_once(&v, 1);
    assert_true(again.found);
    assert_int_equal(again.fd, -1);
}

/* What can't be written or can't be published is whole all the same. */
static void test_put_fails(void **state)
{
    struct version v = make_version("a", BLOCK - 5);
    char tmp[256], shard[256];
    (void)state;
    snprintf(tmp, sizeof(tmp), "%s/tmp", dir);
    assert_int_equal(rmdir(tmp), 0);
    struct put_answer a = put_at_once(&v, 0);
    assert_holds(a.fd, &v, 0);
    assert_true(block_file_verify(a.fd, &v, 0, true));
    close(a.fd);
    assert_in_memory(&v, 0);
    assert_int_equal(mkdir(tmp, 0700), 0);
    block_path(&v, 0, shard, sizeof(shard));
    *strrchr(shard, '/') = '\0';
    close(open(shard, O_CREAT | O_WRONLY, 0600)); /* in the directory's place */
    a = put_at_once(&v, 0);
    assert_holds(a.fd, &v, 0);
    close(a.fd);
    assert_in_memory(&v, 0);
    assert_int_equal(rmdir(tmp), 0); /* nothing was left there */
    assert_int_equal(mkdir(tmp, 0700), 0);
    assert_int_equal(unlink(shard), 0);
    close(put_at_once(&v, 0).fd);
    assert_true(store_has(store, &v, 0) && store_has_file(store, &v, 0));
}

/* --- is it offered? ------------------------------------------------------------------ */

/* The disk hangs from now on until a byte is written to the pipe. */
struct hang {
    struct disk_job job;
    int pipe;
};

static void work_hang(struct disk_job *j)
{
    char byte;
    assert_int_equal(read(((struct hang *)j)->pipe, &byte, 1), 1);
}

static void discard_hang(struct disk_job *j)
{
    free(j);
}

static void stall_disk(int pipe)
{
    struct hang *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    *h = (struct hang){.job = {.work = work_hang, .discard = discard_hang}, .pipe = pipe};
    assert_int_equal(disk_do(store->disk, &h->job), -ETIMEDOUT);
}

static void end_stall(int pipe)
{
    assert_int_equal(write(pipe, "x", 1), 1);
    for (int i = 0; i < 5000 && disk_is_stalled(store->disk); i++)
        usleep(1000);
    assert_false(disk_is_stalled(store->disk));
}

static void test_closed(void **state)
{
    char path[256];
    (void)state;
    snprintf(path, sizeof(path), "%s/" NODE_CLOSED_FILE, dir);
    assert_false(store_is_closed(store));
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_true(store_is_closed(store));
    assert_int_equal(unlink(path), 0);
    assert_false(store_is_closed(store));
}

/* While the disk is stalled nobody looks: what was seen last counts, also by who opened the store.
 */
static void test_closed_while_stalled(void **state)
{
    char path[256];
    int ends[2];
    (void)state;
    snprintf(path, sizeof(path), "%s/" NODE_CLOSED_FILE, dir);
    assert_int_equal(pipe(ends), 0);
    stall_disk(ends[0]);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_false(store_is_closed(store));
    end_stall(ends[1]);
    assert_true(store_is_closed(store));
    reopen();
    stall_disk(ends[0]);
    assert_int_equal(unlink(path), 0);
    assert_true(store_is_closed(store));
    end_stall(ends[1]);
    assert_false(store_is_closed(store));
    close(ends[0]);
    close(ends[1]);
}

static bool disk_may_hold(const char *key)
{
    struct version v = make_version(key, BLOCK);
    return store_filter_may(&store->filter, &(struct store_place){v.id, 0});
}

static void wait_for_filter(void)
{
    for (int i = 0; i < 2000 && !atomic_load(&store->filter.complete); i++)
        usleep(5000);
    assert_true(atomic_load(&store->filter.complete));
}

/* What is surely not there is known without asking the disk, what is there is found, also by the
 * next agent. */
static void test_what_the_disk_can_hold(void **state)
{
    struct version v = make_version("held", BLOCK);
    bool published;
    (void)state;
    wait_for_filter();
    assert_false(disk_may_hold("held"));
    assert_false(store_has(store, &v, 0));
    close(put(&v, 0, &published));
    assert_true(published);
    reopen();
    wait_for_filter();
    assert_false(disk_may_hold("other"));
    assert_true(store_has(store, &v, 0));
    int fd = store_get(store, &v, 0);
    assert_holds(fd, &v, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_publish_and_find),
        WITH_STORE(test_versions_are_apart),
        WITH_STORE(test_tells_all),
        WITH_STORE(test_what_the_disk_can_hold),
        WITH_STORE(test_padding_is_zero),
        WITH_STORE(test_incomplete_is_refused),
        WITH_STORE(test_all_has_its_room_at_once),
        WITH_STORE(test_spoiled_after_reboot),
        WITH_STORE(test_fresh_block_is_not_suspect),
        WITH_STORE(test_short_file_is_dropped),
        WITH_STORE(test_disk_takes_no_more),
        WITH_STORE(test_publishing_fails),
        WITH_STORE(test_what_came_before_is_not_cached),
        WITH_STORE(test_put),
        WITH_STORE(test_put_fails),
        WITH_STORE(test_closed),
        WITH_STORE(test_closed_while_stalled),
        WITH_STORE(test_told_before_it_goes),
        WITH_STORE(test_evict_all),
        WITH_STORE(test_second_agent_is_refused),
        cmocka_unit_test(test_unusable_directory),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
