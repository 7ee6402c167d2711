/* agent/store/put: a whole block at once, where the disk takes it and where it doesn't. */
#include "tests/unit/stored_blocks.h"

#include <semaphore.h>

#include "agent/store/block_file.h"
#include "agent/store/buffer.h"
#include "agent/store/put.h"

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
    assert_true(store_has(store, &v, 0) && store_offers(store, &v, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_put),
        WITH_STORE(test_put_fails),
    };
    return cmocka_run_group_tests_name("store-put", tests, NULL, NULL);
}
