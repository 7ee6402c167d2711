/* agent/store/memory: what is kept, what goes first, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/store/memory.h"

#define BLOCK (16u << 20)
#define MOST  (STORE_MEMORY_MAX / BLOCK)

static struct store_memory *memory;

static uint64_t told[2], n_told;

/* With the lock held this would never return. */
static void on_left(void *user, const struct version *v, uint64_t index)
{
    struct store_place at = {v->id, index};
    assert_ptr_equal(user, told);
    assert_false(store_memory_has(memory, &at));
    told[n_told++ % 2] = index;
}

static int open_memory(void **state)
{
    (void)state;
    n_told = 0;
    memory = store_memory_new(on_left, told);
    return 0;
}

static int close_memory(void **state)
{
    (void)state;
    store_memory_free(memory);
    return 0;
}

static struct version version(void)
{
    return (struct version){.id = {{1, 2, 3}}, .size_bytes = BLOCK, .block_bytes = BLOCK};
}

static struct store_place place(uint64_t index)
{
    return (struct store_place){.version = {{1, 2, 3}}, .index = index};
}

/* An empty file stands for its bytes. */
static void keep(uint64_t index, int64_t now_ms)
{
    struct version v = version();
    int fd = memfd_create("block", MFD_CLOEXEC);
    assert_true(fd >= 0);
    store_memory_book(memory, BLOCK);
    store_memory_keep(memory, &v, index, fd, BLOCK, now_ms);
    close(fd);
}

static bool has(uint64_t index)
{
    struct store_place at = place(index);
    return store_memory_has(memory, &at);
}

static void use(uint64_t index, int64_t now_ms)
{
    struct store_place at = place(index);
    int fd = store_memory_get(memory, &at, now_ms);
    assert_true(fd >= 0);
    close(fd);
}

static void test_kept_and_found(void **state)
{
    struct store_place at = place(7), other = place(8);
    (void)state;
    assert_int_equal(store_memory_get(memory, &at, 0), -ENOENT);
    keep(7, 0);
    use(7, 0);
    assert_int_equal(store_memory_get(memory, &other, 0), -ENOENT);
    other.index = 7;
    other.version.bytes[0] = 9;
    assert_false(store_memory_has(memory, &other));
    assert_int_equal(store_memory_bytes(memory), BLOCK);
    keep(7, 0); /* the same again takes the place of the first */
    assert_int_equal(store_memory_bytes(memory), BLOCK);
    store_memory_empty(memory);
    assert_false(has(7));
    assert_int_equal(store_memory_bytes(memory), 0);
}

static void test_the_least_recently_used_goes(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MOST; i++) {
        keep(i, 0);
        use(i, 0);
    }
    use(0, 0);
    keep(MOST, 0);
    assert_true(has(0) && has(2) && has(MOST));
    assert_false(has(1));
    assert_int_equal(store_memory_bytes(memory), STORE_MEMORY_MAX);
    assert_int_equal(n_told, 1); /* other nodes may wait for it to come to the disk */
    assert_int_equal(told[0], 1);
    store_memory_book(memory, BLOCK); /* one that is under way */
    assert_int_equal(n_told, 2);
    assert_int_equal(told[1], 2);
    store_memory_book(memory, -(int64_t)BLOCK);
}

/* Small ones would take all descriptors, long before they take much memory. */
static void test_not_too_many(void **state)
{
    struct rlimit files, few;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    few = files;
    few.rlim_cur = 80;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    store_memory_free(memory);
    memory = store_memory_new(NULL, NULL);
    int fd = memfd_create("block", MFD_CLOEXEC);
    for (uint64_t i = 0; i < 100; i++) {
        struct version v = version();
        store_memory_book(memory, 1);
        store_memory_keep(memory, &v, i, fd, 1, 0);
    }
    setrlimit(RLIMIT_NOFILE, &files);
    close(fd);
    assert_true(has(99) && has(80));
    assert_false(has(79));
    assert_int_equal(store_memory_bytes(memory), 20);
}

/* What waits for its reader stays, and what was read goes, though it is younger. */
static void test_those_ahead_stay(void **state)
{
    struct store_place read = place(5);
    (void)state;
    for (uint64_t i = 0; i < MOST; i++)
        keep(i, 0);
    assert_int_equal(store_memory_ahead_bytes(memory, 0), STORE_MEMORY_MAX);
    use(4, 0);
    store_memory_used(memory, &read);
    keep(MOST, 0);
    assert_false(has(4));
    keep(MOST + 1, 0);
    assert_false(has(5));
    assert_true(has(0));
    keep(MOST + 2, 0); /* all of them wait: the oldest */
    assert_false(has(0));
    assert_true(has(1));
}

/* For ever it does not wait: it is the first to go then, and counts as ahead no more. */
static void test_a_reader_that_never_comes(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MOST; i++)
        keep(i, i == 3 ? 0 : STORE_MEMORY_AHEAD_MS);
    use(0, STORE_MEMORY_AHEAD_MS);
    store_memory_tick(memory, STORE_MEMORY_AHEAD_MS - 1);
    assert_int_equal(store_memory_ahead_bytes(memory, STORE_MEMORY_AHEAD_MS - 1),
                     (MOST - 1) * (uint64_t)BLOCK);
    for (uint64_t i = 0; i < 3; i++)
        use(i, STORE_MEMORY_AHEAD_MS);
    assert_int_equal(store_memory_ahead_bytes(memory, STORE_MEMORY_AHEAD_MS),
                     (MOST - 4) * (uint64_t)BLOCK);
    keep(MOST, STORE_MEMORY_AHEAD_MS);
    assert_false(has(3));
    assert_true(has(0) && has(1) && has(2));
}

static void test_unused_ones_go(void **state)
{
    (void)state;
    keep(1, 0);
    keep(2, 0);
    use(2, 5000);
    store_memory_tick(memory, STORE_MEMORY_UNUSED_MS - 1);
    assert_true(has(1) && has(2));
    store_memory_tick(memory, STORE_MEMORY_UNUSED_MS);
    assert_false(has(1));
    assert_true(has(2));
    store_memory_tick(memory, STORE_MEMORY_UNUSED_MS + 5000);
    assert_false(has(2));
    assert_int_equal(store_memory_bytes(memory), 0);
}

/* Incomplete blocks count, and make complete ones go; they themselves are not refused. */
static void test_incomplete_ones_count(void **state)
{
    (void)state;
    keep(1, 0);
    keep(2, 0);
    store_memory_book(memory, STORE_MEMORY_MAX - BLOCK);
    assert_false(has(1));
    assert_true(has(2));
    store_memory_book(memory, 2 * BLOCK);
    assert_false(has(2));
    assert_int_equal(store_memory_bytes(memory), STORE_MEMORY_MAX + BLOCK);
    store_memory_book(memory, -(int64_t)(STORE_MEMORY_MAX + BLOCK));
    assert_int_equal(store_memory_bytes(memory), 0);
}

#define WITH_MEMORY(f) cmocka_unit_test_setup_teardown(f, open_memory, close_memory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_MEMORY(test_kept_and_found),
        WITH_MEMORY(test_the_least_recently_used_goes),
        WITH_MEMORY(test_not_too_many),
        WITH_MEMORY(test_those_ahead_stay),
        WITH_MEMORY(test_a_reader_that_never_comes),
        WITH_MEMORY(test_unused_ones_go),
        WITH_MEMORY(test_incomplete_ones_count),
    };
    return cmocka_run_group_tests_name("store_memory", tests, NULL, NULL);
}
