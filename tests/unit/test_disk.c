/* agent/store/disk: a disk that works, one that is stalled, one that comes back; and buffers that
 * it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/store/buffer.h"
#include "agent/store/disk.h"

struct job {
    struct disk_job job;
    int gate; /* the work reads a byte from it first; -1: no need */
    bool worked;
};

static atomic_int discarded;

static void work(struct disk_job *j)
{
    struct job *job = (struct job *)j;
    char byte;
    if (job->gate >= 0)
        assert_int_equal(read(job->gate, &byte, 1), 1);
    job->worked = true;
}

static void discard(struct disk_job *j)
{
    assert_true(((struct job *)j)->worked);
    free(j);
    atomic_fetch_add(&discarded, 1);
}

static struct job *make(int gate)
{
    struct job *j = calloc(1, sizeof(*j));
    *j = (struct job){.job = {.work = work, .discard = discard}, .gate = gate};
    return j;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_for(struct disk *d, bool stalled, int n_discarded)
{
    for (int i = 0; i < 5000; i++) {
        if (disk_is_stalled(d) == stalled && atomic_load(&discarded) == n_discarded)
            return;
        usleep(1000);
    }
    fail();
}

static void test_working(void **state)
{
    (void)state;
    struct disk *d = disk_new(2);
    discarded = 0;
    for (int i = 0; i < 1000; i++) {
        struct job *j = make(-1);
        assert_int_equal(disk_do(d, &j->job), 0);
        assert_true(j->worked);
        free(j);
        disk_leave(d, &make(-1)->job);
    }
    disk_free(d);
    assert_int_equal(discarded, 1000); /* nothing that was left is forgotten */
}

static void test_stalled_and_back(void **state)
{
    (void)state;
    struct disk *d = disk_new(2);
    int gate[2];
    discarded = 0;
    assert_int_equal(pipe(gate), 0);

    int64_t begun_ms = now_ms();
    assert_int_equal(disk_do(d, &make(gate[0])->job), -ETIMEDOUT);
    int64_t took_ms = now_ms() - begun_ms;
    assert_in_range(took_ms, DISK_PATIENCE_MS - 1, DISK_PATIENCE_MS + 2000);
    assert_true(disk_is_stalled(d));

    struct job *refused = make(-1); /* though a thread is free: nobody waits now */
    begun_ms = now_ms();
    assert_int_equal(disk_do(d, &refused->job), -EBUSY);
    assert_in_range(now_ms() - begun_ms, 0, DISK_PATIENCE_MS / 2);
    assert_false(refused->worked);
    free(refused);
    assert_int_equal(discarded, 0);

    assert_int_equal(write(gate[1], "x", 1), 1);
    wait_for(d, false, 1);
    struct job *j = make(-1);
    assert_int_equal(disk_do(d, &j->job), 0);
    free(j);
    disk_free(d);
}

/* All threads hang in what nobody waits for: who comes then gives up, and its job is never begun.
 */
static void test_stalled_in_the_queue(void **state)
{
    (void)state;
    struct disk *d = disk_new(2);
    int gate[2];
    discarded = 0;
    assert_int_equal(pipe(gate), 0);
    disk_leave(d, &make(gate[0])->job);
    disk_leave(d, &make(gate[0])->job);
    struct job *j = make(-1);
    assert_int_equal(disk_do(d, &j->job), -EBUSY);
    assert_true(disk_is_stalled(d));
    assert_int_equal(write(gate[1], "xy", 2), 2);
    wait_for(d, false, 2);
    assert_false(j->worked);
    free(j);
    disk_free(d);
}

#define FED 20

static void *feed(void *user)
{
    for (int i = 0; i < FED; i++) {
        usleep(DISK_PATIENCE_MS * 1000 / 10);
        assert_int_equal(write(*(int *)user, "x", 1), 1);
    }
    return NULL;
}

/* So many jobs that nobody waits for, each of which is let go by a byte that comes in time. */
static pthread_t leave_fed(struct disk *d, int gate[2], bool gives_way)
{
    pthread_t feeder;
    discarded = 0;
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < FED; i++) {
        struct job *left = make(gate[0]);
        left->job.gives_way = gives_way;
        disk_leave(d, &left->job);
    }
    assert_int_equal(pthread_create(&feeder, NULL, feed, &gate[1]), 0);
    return feeder;
}

/* A long queue that moves is no stall. */
static void test_busy(void **state)
{
    (void)state;
    struct disk *d = disk_new(1);
    int gate[2];
    pthread_t feeder = leave_fed(d, gate, false);
    struct job *j = make(-1);
    assert_int_equal(disk_do(d, &j->job), -EBUSY);
    assert_false(disk_is_stalled(d));
    free(j);
    pthread_join(feeder, NULL);
    wait_for(d, false, FED);
    disk_free(d);
}

/* Nobody waits behind what was only left to be done when there is time. */
static void test_who_gives_way_comes_last(void **state)
{
    (void)state;
    struct disk *d = disk_new(1);
    int gate[2];
    pthread_t feeder = leave_fed(d, gate, true);
    struct job *j = make(-1);
    assert_int_equal(disk_do(d, &j->job), 0);
    assert_true(discarded < 5);
    free(j);
    pthread_join(feeder, NULL);
    wait_for(d, false, FED);
    disk_free(d);
}

/* --- without waiting ---------------------------------------------------------------- */

static atomic_int finished, result;

static void on_finished(void *user, int r)
{
    assert_ptr_equal(user, &finished);
    atomic_store(&result, r);
    atomic_fetch_add(&finished, 1);
}

static struct job *start(struct disk *d, int gate)
{
    struct job *j = make(gate);
    j->job.finished = on_finished;
    j->job.user = &finished;
    disk_start(d, &j->job);
    return j;
}

static void wait_finished(struct disk *d, int n)
{
    for (int i = 0; i < 5000 && atomic_load(&finished) < n; i++) {
        disk_watch(d);
        usleep(1000);
    }
    assert_int_equal(atomic_load(&finished), n);
}

static void test_started(void **state)
{
    (void)state;
    struct disk *d = disk_new(1);
    int gate[2];
    finished = discarded = 0;
    assert_int_equal(pipe(gate), 0);
    struct job *j = start(d, -1);
    wait_finished(d, 1);
    assert_int_equal(result, 0);
    assert_true(j->worked);
    free(j);

    start(d, gate[0]); /* hangs: the disk's from then on */
    wait_finished(d, 2);
    assert_int_equal(result, -ETIMEDOUT);
    assert_true(disk_is_stalled(d));
    j = start(d, -1); /* refused at once */
    assert_int_equal(atomic_load(&finished), 3);
    assert_int_equal(result, -EBUSY);
    free(j);
    assert_int_equal(write(gate[1], "x", 1), 1);
    wait_for(d, false, 1);
    disk_watch(d);
    assert_int_equal(atomic_load(&finished), 3); /* each once */

    disk_leave(d, &make(gate[0])->job); /* nobody waits for this, so it stalls nothing by itself */
    j = start(d, -1);
    wait_finished(d, 4);
    assert_int_equal(result, -EBUSY); /* not begun, and will not be */
    assert_int_equal(write(gate[1], "x", 1), 1);
    wait_for(d, false, 2);
    assert_false(j->worked);
    free(j);
    disk_free(d);
}

static void test_held_buffer(void **state)
{
    (void)state;
    char *held = buffer_take();
    buffer_hold(held);
    buffer_hold(held);
    buffer_give(held);
    char *other = buffer_take();
    assert_ptr_not_equal(other, held);
    buffer_give(other);
    buffer_release(held);
    other = buffer_take();
    assert_ptr_not_equal(other, held);
    buffer_release(held);
    char *again = buffer_take();
    assert_ptr_equal(again, held);
    buffer_give(other);
    buffer_give(again);
    struct buffer_numbers n;
    buffer_numbers(&n);
    assert_int_equal(n.bytes, n.peak_bytes);
    char mine[8];
    buffer_hold(mine); /* not one of ours: nothing happens to it */
    buffer_release(mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_working),
        cmocka_unit_test(test_stalled_and_back),
        cmocka_unit_test(test_stalled_in_the_queue),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_who_gives_way_comes_last),
        cmocka_unit_test(test_started),
        cmocka_unit_test(test_held_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
