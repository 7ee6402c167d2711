#include "agent/store/behind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/store/block_file.h"
#include "agent/store/buffer.h"
#include "agent/store/evict.h"
#include "agent/store/internal.h"
#include "agent/store/jobs.h"
#include "common/alloc.h"
#include "common/clock.h"

#define SPARE 4 /* the disk must have room for so many */

struct behind_job {
    struct disk_job job;
    struct store *store;
    int fd; /* of the block in memory */
    struct store_publish block;
};

void store_behind_wrote(struct store *s, uint64_t bytes, int64_t took_ns)
{
    pthread_mutex_lock(&s->lag_lock);
    lag_wrote(&s->lag, bytes, took_ns / 1000);
    atomic_store(&s->is_behind, s->lag.is_behind);
    pthread_mutex_unlock(&s->lag_lock);
}

bool store_is_behind(const struct store *s)
{
    return atomic_load(&s->is_behind);
}

static void caught_up(struct store *s)
{
    pthread_mutex_lock(&s->lag_lock);
    lag_caught_up(&s->lag);
    atomic_store(&s->is_behind, s->lag.is_behind);
    pthread_mutex_unlock(&s->lag_lock);
}

/* --- on a thread of the disk's ----------------------------------------------------------- */

/* The file as it is: data, padding, trailer. In large pieces, as a file that is written so is read
 * faster. */
static int copy(struct store *s, int from, int to, uint64_t len)
{
    char *piece = buffer_take();
    int r = 0;
    ssize_t n;
    for (uint64_t at = 0; r == 0 && at < len; at += (uint64_t)n) {
        n = pread(from, piece, BUFFER_BYTES, (off_t)at);
        if (n <= 0) {
            r = -EIO;
            break;
        }
        int64_t began_ns = clock_monotonic_ns();
        r = block_file_write(to, piece, (size_t)n, at);
        if (r == 0)
            store_behind_wrote(s, (uint64_t)n, clock_monotonic_ns() - began_ns);
    }
    buffer_give(piece);
    return r;
}

/* Where the disk would be full after it, older blocks would have to go, and memory has this one.
 * But while it is behind nothing else is written to it, or asks for room: it would stay so for
 * ever. */
static bool has_room(const struct store *s, uint64_t bytes)
{
    struct statvfs disk;
    if (store_is_behind(s))
        return true;
    return fstatvfs(s->dir_fd, &disk) == 0 && disk.f_bavail * disk.f_frsize / SPARE >= bytes;
}

/* 0, also when it is left where it is: `done` tells. */
static int make(struct behind_job *b, bool *done)
{
    struct store *s = b->store;
    struct stat st;
    *done = false;
    if (fstat(b->fd, &st) < 0)
        return -errno;
    if (!has_room(s, (uint64_t)st.st_size))
        return 0;
    int fd = store_job_make_file(s, b->block.tmp_name);
    if (fd < 0)
        return fd;
    int r = copy(s, b->fd, fd, (uint64_t)st.st_size);
    if (r == 0)
        r = store_job_publish_file(s, fd, &b->block);
    if (r < 0)
        unlinkat(s->dir_fd, b->block.tmp_name, 0);
    close(fd);
    *done = r == 0;
    return r;
}

static void work_behind(struct disk_job *j)
{
    struct behind_job *b = (struct behind_job *)j;
    struct store *s = b->store;
    struct store_place place = {b->block.version.id, b->block.index};
    bool done;
    int r = make(b, &done);
    if (done)
        store_memory_written(s->memory, &place);
    if (r < 0)
        store_refused(s, -r);
    atomic_store(&s->writes_behind, false);
    if (done)
        store_behind_go_on(s);
}

static void discard_behind(struct disk_job *j)
{
    struct behind_job *b = (struct behind_job *)j;
    close(b->fd);
    free(b);
}

/* --- anybody ------------------------------------------------------------------------------ */

/* False: there is nothing to write. */
static bool begin(struct store *s)
{
    struct behind_job *b = must_calloc(1, sizeof(*b));
    b->fd = store_memory_next(s->memory, &b->block.version, &b->block.index);
    if (b->fd < 0) {
        free(b);
        return false;
    }
    b->job = (struct disk_job){.work = work_behind, .discard = discard_behind, .gives_way = true};
    b->store = s;
    store_tmp_name(b->block.tmp_name);
    disk_leave(s->disk, &b->job);
    return true;
}

/* On a full disk one block would make way for another, which is no better off there than in memory.
 * But a disk that is behind is written to by nobody else, who could find out that it has room. */
static bool is_worth_a_try(struct store *s)
{
    return store_is_behind(s) ? store_may_try(s) : !store_was_full_lately(s);
}

void store_behind_go_on(struct store *s)
{
    if (atomic_load(&s->ends) || disk_is_stalled(s->disk))
        return;
    if (store_memory_is_empty(s->memory)) {
        if (store_is_behind(s))
            caught_up(s);
        return;
    }
    if (!is_worth_a_try(s))
        return;
    if (atomic_exchange(&s->writes_behind, true))
        return;
    if (begin(s))
        return;
    atomic_store(&s->writes_behind, false);
    caught_up(s);
}
