/* agent/store/open, and what a store knows of its directory without looking: is it one's own, is it
 * offered to others, what can it hold? */
#include "tests/unit/stored_blocks.h"

#include <errno.h>

#include "common/options.h"

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
        WITH_STORE(test_closed),
        WITH_STORE(test_closed_while_stalled),
        WITH_STORE(test_what_the_disk_can_hold),
        WITH_STORE(test_second_agent_is_refused),
        cmocka_unit_test(test_unusable_directory),
    };
    return cmocka_run_group_tests_name("store-open", tests, NULL, NULL);
}
