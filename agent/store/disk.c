#include "agent/store/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"

#define CLOSE_WAIT_MS 10
#define CLOSE_WAITS   (2 * DISK_PATIENCE_MS / CLOSE_WAIT_MS)

enum job_state { QUEUED, RUNNING, DONE, LEFT };

struct disk {
    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t wanted;
    struct disk_job *queue;
    struct disk_job *started; /* running, and `finished` is to be told */
    int64_t ended_ms;         /* when a job last ended */
    int n_running, n_late;    /* late: running, and left behind by who waited */
    bool stalled, closing;
    int n_threads;
    pthread_t threads[];
};

/* --- the threads -------------------------------------------------------------------- */

/* With the lock held. */
static void enqueue(struct disk *d, struct disk_job *j)
{
    struct disk_job *behind = j->gives_way ? NULL : d->queue;
    while (behind && !behind->gives_way)
        behind = behind->next;
    if (behind)
        DL_PREPEND_ELEM(d->queue, behind, j);
    else
        DL_APPEND(d->queue, j);
    pthread_cond_signal(&d->wanted);
}

/* With the lock held. */
static void end_stall(struct disk *d)
{
    if (!d->stalled || d->n_late > 0)
        return;
    d->stalled = false;
    log_warn("disk", "the disk of the cache answers again");
}

/* With the lock held; gives it up meanwhile. */
static void tell_finished(struct disk *d, void (*finished)(void *user, int result), void *user,
                          int result)
{
    pthread_mutex_unlock(&d->lock);
    finished(user, result);
    pthread_mutex_lock(&d->lock);
}

/* With the lock held; gives it up meanwhile. */
static void run(struct disk *d, struct disk_job *j)
{
    DL_DELETE(d->queue, j);
    bool waited_for = j->state == QUEUED, started = waited_for && j->finished;
    if (waited_for)
        j->state = RUNNING;
    if (started)
        DL_APPEND(d->started, j);
    d->n_running++;
    pthread_mutex_unlock(&d->lock);
    j->work(j);
    pthread_mutex_lock(&d->lock);
    d->n_running--;
    d->ended_ms = clock_monotonic_ms();
    if (waited_for && j->state == LEFT)
        d->n_late--;
    end_stall(d);
    if (j->state == RUNNING && started) {
        DL_DELETE(d->started, j);
        tell_finished(d, j->finished, j->user, 0);
        return;
    }
    if (j->state == RUNNING) {
        j->state = DONE;
        pthread_cond_signal(&j->done);
        return;
    }
    pthread_mutex_unlock(&d->lock);
    if (waited_for && !started)
        pthread_cond_destroy(&j->done);
    j->discard(j);
    pthread_mutex_lock(&d->lock);
}

static void *work(void *user)
{
    struct disk *d = user;
    pthread_mutex_lock(&d->lock);
    for (;;) {
        if (d->queue) {
            run(d, d->queue);
            continue;
        }
        if (d->n_running == 0)
            end_stall(d); /* who gave up waiting did so for want of a processor */
        if (d->closing)
            break;
        pthread_cond_wait(&d->wanted, &d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

struct disk *disk_new(int n_threads)
{
    struct disk *d = must_calloc(1, sizeof(*d) + (size_t)n_threads * sizeof(d->threads[0]));
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wanted, NULL);
    int error = 0;
    while (!error && d->n_threads < n_threads) {
        error = thread_start_deaf(&d->threads[d->n_threads], "disk", work, d);
        d->n_threads += !error;
    }
    if (d->n_threads > 0)
        return d;
    disk_free(d);
    errno = error;
    return NULL;
}

/* With the lock held: is `finished` to be told of some job? */
static bool is_awaited(const struct disk *d)
{
    const struct disk_job *j;
    DL_FOREACH(d->queue, j)
    if (j->finished && j->state == QUEUED)
        return true;
    return d->started != NULL;
}

bool disk_free(struct disk *d)
{
    if (!d)
        return true;
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < CLOSE_WAITS && is_awaited(d); i++) { /* nobody watches any more */
        pthread_mutex_unlock(&d->lock);
        usleep(CLOSE_WAIT_MS * 1000);
        disk_watch(d);
        pthread_mutex_lock(&d->lock);
    }
    d->closing = true;
    bool stalled = d->stalled;
    pthread_cond_broadcast(&d->wanted);
    pthread_mutex_unlock(&d->lock);
    if (stalled)
        return false; /* its threads may come back, and need it then */
    for (int i = 0; i < d->n_threads; i++)
        pthread_join(d->threads[i], NULL);
    pthread_cond_destroy(&d->wanted);
    pthread_mutex_destroy(&d->lock);
    free(d);
    return true;
}

/* --- who asks ------------------------------------------------------------------------ */

static struct timespec patience_ends(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += DISK_PATIENCE_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void init_done(struct disk_job *j)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&j->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* With the lock held. What waited in the queue for so long says that there is much to do, not that
 * the disk stands still. */
static int give_up(struct disk *d, struct disk_job *j)
{
    bool is_queued = j->state == QUEUED;
    bool stands_still = !is_queued || clock_monotonic_ms() - d->ended_ms >= DISK_PATIENCE_MS;
    if (stands_still && !d->stalled)
        log_warn("disk",
                 "the disk of the cache has not answered for %d ms: blocks are kept in "
                 "memory until it does",
                 DISK_PATIENCE_MS);
    d->stalled |= stands_still;
    if (is_queued) {
        DL_DELETE(d->queue, j);
        return -EBUSY;
    }
    j->state = LEFT;
    d->n_late++;
    return -ETIMEDOUT;
}

int disk_do(struct disk *d, struct disk_job *j)
{
    int r = 0;
    struct timespec until = patience_ends();
    init_done(j);
    pthread_mutex_lock(&d->lock);
    if (d->stalled) {
        r = -EBUSY;
    } else {
        j->state = QUEUED;
        enqueue(d, j);
        while (r == 0 && j->state != DONE)
            if (pthread_cond_timedwait(&j->done, &d->lock, &until) == ETIMEDOUT && j->state != DONE)
                r = give_up(d, j);
    }
    pthread_mutex_unlock(&d->lock);
    if (r != -ETIMEDOUT)
        pthread_cond_destroy(&j->done);
    return r;
}

void disk_start(struct disk *d, struct disk_job *j)
{
    j->due_ms = clock_monotonic_ms() + DISK_PATIENCE_MS;
    pthread_mutex_lock(&d->lock);
    if (d->stalled) {
        tell_finished(d, j->finished, j->user, -EBUSY);
    } else {
        j->state = QUEUED;
        enqueue(d, j);
    }
    pthread_mutex_unlock(&d->lock);
}

static struct disk_job *first_overdue(struct disk *d, int64_t now_ms)
{
    struct disk_job *j;
    DL_FOREACH(d->started, j)
    if (j->due_ms <= now_ms)
        return j;
    DL_FOREACH(d->queue, j)
    if (j->finished && j->state == QUEUED && j->due_ms <= now_ms)
        return j;
    return NULL;
}

void disk_watch(struct disk *d)
{
    int64_t now_ms = clock_monotonic_ms();
    struct disk_job *j;
    pthread_mutex_lock(&d->lock);
    while ((j = first_overdue(d, now_ms))) {
        if (j->state == RUNNING)
            DL_DELETE(d->started, j);
        int r = give_up(d, j);
        tell_finished(d, j->finished, j->user, r); /* both are read before it is let go */
    }
    pthread_mutex_unlock(&d->lock);
}

void disk_leave(struct disk *d, struct disk_job *j)
{
    pthread_mutex_lock(&d->lock);
    j->state = LEFT;
    enqueue(d, j);
    pthread_mutex_unlock(&d->lock);
}

bool disk_is_stalled(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    bool stalled = d->stalled;
    pthread_mutex_unlock(&d->lock);
    return stalled;
}
