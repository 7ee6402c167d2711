#include "agent/store/put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/store/behind.h"
#include "agent/store/block_file.h"
#include "agent/store/buffer.h"
#include "agent/store/evict.h"
#include "agent/store/internal.h"
#include "agent/store/jobs.h"
#include "agent/store/memory_file.h"
#include "agent/store/xxh3.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* The disk's, which may keep it for longer than anybody waits. */
struct put_job {
    struct disk_job job;
    struct store *store;
    const char *data;
    struct store_publish block;
    int result, reader;
    bool found;
};

/* A whole block that the disk doesn't take. */
struct memory_block {
    struct version version;
    uint64_t index;
    const void *data;
    uint32_t len, trailer_len;
    uint8_t trailer[BLOCK_FILE_TRAILER_MAX];
};

/* The caller's. */
struct put {
    struct put_job *job;
    struct store *store;
    struct memory_block block;
    store_put_done *done;
    void *user;
};

/* --- on a thread of the disk's -------------------------------------------------------- */

/* Data, zeros up to the trailer, and the trailer. */
static int write_block(int fd, const struct put_job *p)
{
    static char zeros[BLOCK_FILE_ALIGN];
    uint32_t len = version_block_len(&p->block.version, p->block.index);
    size_t gap = (size_t)block_file_trailer_at(len) - len;
    struct iovec parts[] = {{(char *)(uintptr_t)p->data, len},
                            {zeros, gap},
                            {(uint8_t *)(uintptr_t)p->block.trailer, p->block.trailer_len}};
    ssize_t n = writev(fd, parts, 3);
    if (n < 0)
        return -errno;
    return (size_t)n == len + gap + p->block.trailer_len ? 0 : -ENOSPC;
}

static int make(struct put_job *p)
{
    struct store *s = p->store;
    int fd = store_job_make_file(s, p->block.tmp_name);
    if (fd < 0)
        return fd;
    int r = write_block(fd, p);
    if (r == 0) {
        p->reader = openat(s->dir_fd, p->block.tmp_name, O_RDONLY | O_CLOEXEC);
        r = p->reader < 0 ? -errno : store_job_publish_file(s, fd, &p->block);
    }
    if (r < 0)
        unlinkat(s->dir_fd, p->block.tmp_name, 0);
    close(fd);
    return r;
}

static void work_put(struct disk_job *j)
{
    struct put_job *p = (struct put_job *)j;
    char name[STORE_NAME_MAX];
    struct store_place place = {p->block.version.id, p->block.index};
    store_block_name(&p->block.version, p->block.index, name);
    p->found = store_filter_may(&p->store->filter, &place) &&
               faccessat(p->store->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    p->result = p->found ? 0 : make(p);
}

static void discard_put(struct disk_job *j)
{
    struct put_job *p = (struct put_job *)j;
    if (p->reader >= 0)
        close(p->reader);
    buffer_release(p->data);
    free(p);
}

/* --- memory in place of the disk -------------------------------------------------------- */

/* A read-only descriptor of it, or -errno. */
static int keep_in_memory(struct store *s, const struct memory_block *b)
{
    CLEANUP_CLOSE int fd = memory_file_new();
    if (fd < 0)
        return fd;
    int r = block_file_write(fd, b->data, b->len, 0);
    if (r == 0)
        r = block_file_write(fd, b->trailer, b->trailer_len, block_file_trailer_at(b->len));
    if (r == 0)
        r = memory_file_reader(fd);
    if (r >= 0) {
        store_memory_book(s->memory, b->len);
        store_memory_keep(s->memory, &b->version, b->index, r, b->len, clock_monotonic_ms());
        store_behind_go_on(s);
    }
    return r;
}

/* --- done ------------------------------------------------------------------------------ */

/* Tells, and ends. `fd` is given away. */
static void tell(struct put *p, int fd, bool found)
{
    p->done(p->user, fd, found);
    free(p);
}

/* After -ETIMEDOUT the job is the disk's. */
static void on_finished(void *user, int result)
{
    struct put *p = user;
    int fd = -1;
    bool found = false;
    if (result == 0) {
        result = p->job->result;
        found = p->job->found;
        fd = p->job->reader;
        p->job->reader = -1;
    }
    if (result != -ETIMEDOUT)
        discard_put(&p->job->job);
    if (result < 0) {
        store_refused(p->store, -result);
        if (fd >= 0)
            close(fd);
        fd = keep_in_memory(p->store, &p->block);
    }
    tell(p, fd, found);
}

void store_put(struct store *s, const struct version *v, uint64_t index, const char *data,
               store_put_done *done, void *user)
{
    struct put_job *j = must_calloc(1, sizeof(*j));
    struct put *p = must_calloc(1, sizeof(*p));
    uint32_t len = version_block_len(v, index);
    *j = (struct put_job){
        .job = {.work = work_put, .discard = discard_put, .finished = on_finished, .user = p},
        .store = s,
        .data = data,
        .block = {.version = *v, .index = index},
        .reader = -1};
    store_tmp_name(j->block.tmp_name);
    j->block.trailer_len = block_file_trailer(v, index, XXH3_64bits(data, len), j->block.trailer);
    *p = (struct put){.job = j,
                      .store = s,
                      .block = {.version = *v,
                                .index = index,
                                .data = data,
                                .len = len,
                                .trailer_len = j->block.trailer_len},
                      .done = done,
                      .user = user};
    memcpy(p->block.trailer, j->block.trailer, j->block.trailer_len);
    buffer_hold(data);
    if (!store_is_behind(s) && store_may_try(s)) {
        disk_start(s->disk, &j->job);
    } else {
        discard_put(&j->job);
        tell(p, keep_in_memory(s, &p->block), false);
    }
}
