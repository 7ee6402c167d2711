/* agent/store/tell: what a store tells of all that it holds, and what goes on meanwhile. */
#include "tests/unit/stored_blocks.h"

struct told {
    struct version_id version;
    uint64_t next;
    _Atomic int n;
};

/* In order, and each with the number of all of its version. */
static bool on_found(void *user, const struct store_place *place, uint64_t blocks)
{
    struct told *t = user;
    if (memcmp(&t->version, &place->version, sizeof(t->version)) != 0)
        t->next = 0;
    t->version = place->version;
    assert_int_equal(place->index, t->next++);
    assert_int_equal(blocks, 4);
    t->n++;
    return true;
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

static bool on_found_empty(void *user, const struct store_place *place, uint64_t blocks)
{
    _Atomic int *n = user;
    (void)place;
    (void)blocks;
    if ((*n)++ == 0)
        store_evict_all_soon(store);
    return true;
}

/* Room that is wanted meanwhile is made before all is told. */
static void test_room_is_made_while_telling(void **state)
{
    struct version v = make_version("a", 4 * BLOCK);
    struct store_numbers numbers = {.emptying = true};
    _Atomic int n = 0;
    bool published;
    (void)state;
    for (uint8_t shard = 10; shard < 18; shard++) {
        v.id.bytes[0] = shard;
        close(put(&v, 0, &published));
    }
    store_watch(store, &(struct store_watcher){.found = on_found_empty, .user = &n});
    store_tell_all_soon(store);
    while (n == 0)
        usleep(1000);
    for (; numbers.emptying; usleep(1000))
        store_numbers(store, &numbers);
    assert_int_equal(n, 1);
    store_watch(store, NULL);
}

static bool on_found_count(void *user, const struct store_place *place, uint64_t blocks)
{
    (void)place;
    (void)blocks;
    ++*(_Atomic int *)user;
    return false;
}

/* What was not used for long is still what goes first. */
static void test_telling_is_no_use(void **state)
{
    struct version v = make_version("a", 4 * BLOCK);
    struct timespec long_ago[2] = {{.tv_sec = 1000000}, {.tv_nsec = UTIME_OMIT}};
    struct stat st;
    char path[256];
    _Atomic int n = 0;
    bool published;
    (void)state;
    close(put(&v, 0, &published));
    block_path(&v, 0, path, sizeof(path));
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    store_watch(store, &(struct store_watcher){.found = on_found_count, .user = &n});
    store_tell_all_soon(store);
    while (n == 0)
        usleep(1000);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_atim.tv_sec, long_ago[0].tv_sec);
    store_watch(store, NULL);
}

/* Nothing is looked at any more once that is enough. */
static void test_who_has_enough_is_told_no_more(void **state)
{
    struct version v = make_version("a", 4 * BLOCK);
    _Atomic int n = 0;
    bool published;
    (void)state;
    for (uint8_t shard = 10; shard < 14; shard++) {
        v.id.bytes[0] = shard;
        close(put(&v, 0, &published));
        close(put(&v, 1, &published));
    }
    store_watch(store, &(struct store_watcher){.found = on_found_count, .user = &n});
    for (int times = 1; times <= 3; times++) {
        store_tell_all_soon(store);
        while (n < times)
            usleep(1000);
    }
    assert_int_equal(n, 3);
    store_watch(store, NULL);
}

/* Takes three, and has no room for the fourth, time and again. */
struct small {
    struct told told;
    _Atomic int refused;
};

static bool on_found_small(void *user, const struct store_place *place, uint64_t blocks)
{
    struct small *s = user;
    if (s->told.n - 3 * s->refused < 3)
        return on_found(&s->told, place, blocks);
    s->refused++;
    return false;
}

/* It is told on from where there was no room, each block once. */
static void test_the_rest_is_told_later(void **state)
{
    struct version v = make_version("a", 3 * BLOCK + 5);
    struct small small = {.refused = 0};
    bool published;
    (void)state;
    for (uint8_t shard = 10; shard < 15; shard++) {
        v.id.bytes[0] = shard;
        for (uint64_t i = 0; i < 4; i++)
            close(put(&v, i, &published));
    }
    store_watch(store, &(struct store_watcher){.found = on_found_small, .user = &small});
    store_tell_all_soon(store);
    for (int told = 3; told < 20; told += 3) {
        while (small.refused < told / 3)
            usleep(1000);
        assert_int_equal(small.told.n, told);
        store_tell_more_soon(store);
    }
    while (small.told.n < 20)
        usleep(1000);
    assert_int_equal(small.refused, 6);
    store_watch(store, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_tells_all),
        WITH_STORE(test_room_is_made_while_telling),
        WITH_STORE(test_telling_is_no_use),
        WITH_STORE(test_who_has_enough_is_told_no_more),
        WITH_STORE(test_the_rest_is_told_later),
    };
    return cmocka_run_group_tests_name("store-tell", tests, NULL, NULL);
}
