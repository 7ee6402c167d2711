#include "agent/store/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/store/behind.h"
#include "agent/store/block_file.h"
#include "agent/store/buffer.h"
#include "agent/store/evict.h"
#include "agent/store/internal.h"
#include "common/alloc.h"
#include "common/clock.h"

/* --- files for blocks --------------------------------------------------------------------- */

struct file_job {
    struct disk_job job;
    struct store *store;
    char name[STORE_TMP_NAME_MAX];
    int fd, reader;
    int result;
    const char *data;
    size_t len;
    uint64_t at;
};

static struct file_job *file_job(struct store *s, const char *name, void (*work)(struct disk_job *),
                                 void (*discard)(struct disk_job *))
{
    struct file_job *f = must_calloc(1, sizeof(*f));
    *f = (struct file_job){
        .job = {.work = work, .discard = discard}, .store = s, .fd = -1, .reader = -1};
    snprintf(f->name, sizeof(f->name), "%s", name);
    return f;
}

static void close_files(const struct file_job *f)
{
    if (f->fd >= 0)
        close(f->fd);
    if (f->reader >= 0)
        close(f->reader);
}

static void discard_file(struct disk_job *j)
{
    struct file_job *f = (struct file_job *)j;
    unlinkat(f->store->dir_fd, f->name, 0);
    close_files(f);
    if (f->data)
        buffer_release(f->data);
    free(f);
}

/* False with errno when the disk is full; a file system that can't give it doesn't matter. */
static bool give_room(int fd, size_t bytes)
{
    return bytes == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) == 0 ||
           (errno != ENOSPC && errno != EDQUOT);
}

int store_job_make_file(struct store *s, const char *tmp_name)
{
    store_make_room(s);
    int fd = openat(s->dir_fd, tmp_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    return fd < 0 ? -errno : fd;
}

static void work_create(struct disk_job *j)
{
    struct file_job *f = (struct file_job *)j;
    f->result = f->fd = store_job_make_file(f->store, f->name);
    if (f->fd < 0 || give_room(f->fd, f->len))
        return;
    f->result = -errno;
    unlinkat(f->store->dir_fd, f->name, 0);
    close(f->fd);
    f->fd = -1;
}

/* For jobs that hold nothing once they were done: their result. */
static int do_file_job(struct file_job *f)
{
    int r = disk_do(f->store->disk, &f->job);
    if (r == -ETIMEDOUT)
        return r;
    if (r == 0)
        r = f->result;
    free(f);
    return r;
}

int store_job_create(struct store *s, const char *tmp_name, size_t room_bytes)
{
    struct file_job *f = file_job(s, tmp_name, work_create, discard_file);
    f->len = room_bytes;
    return do_file_job(f);
}

static void discard_plain(struct disk_job *j)
{
    free(j);
}

static void work_exists(struct disk_job *j)
{
    struct file_job *f = (struct file_job *)j;
    int r = faccessat(f->store->dir_fd, f->name, F_OK, AT_SYMLINK_NOFOLLOW);
    f->result = r < 0 ? -errno : 0;
}

int store_job_exists(struct store *s, const char *name)
{
    return do_file_job(file_job(s, name, work_exists, discard_plain));
}

static void work_write(struct disk_job *j)
{
    struct file_job *f = (struct file_job *)j;
    int64_t began_ns = clock_monotonic_ns();
    f->result = block_file_write(f->fd, f->data, f->len, f->at);
    store_behind_wrote(f->store, f->len, clock_monotonic_ns() - began_ns);
}

int store_job_write(struct store *s, int fd, const char *tmp_name, const void *data, size_t len,
                    uint64_t at)
{
    struct file_job *f = file_job(s, tmp_name, work_write, discard_file);
    f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the job may outlive the caller's */
    f->data = data;
    f->len = len;
    f->at = at;
    buffer_hold(data);
    int r = disk_do(s->disk, &f->job);
    if (r == -ETIMEDOUT)
        return r;
    if (r == 0)
        r = f->result;
    buffer_release(data);
    close_files(f);
    free(f);
    return r;
}

struct copy_job {
    struct disk_job job;
    int from_fd, to_fd;
    uint64_t at, to;
    int result;
};

static void work_copy(struct disk_job *j)
{
    struct copy_job *c = (struct copy_job *)j;
    char piece[65536];
    while (c->result == 0 && c->at < c->to) {
        size_t len = c->to - c->at < sizeof(piece) ? (size_t)(c->to - c->at) : sizeof(piece);
        ssize_t n = pread(c->from_fd, piece, len, (off_t)c->at);
        c->result = n > 0 ? block_file_write(c->to_fd, piece, (size_t)n, c->at) : -EIO;
        c->at += n > 0 ? (uint64_t)n : 0;
    }
}

static void discard_copy(struct disk_job *j)
{
    struct copy_job *c = (struct copy_job *)j;
    if (c->from_fd >= 0)
        close(c->from_fd);
    if (c->to_fd >= 0)
        close(c->to_fd);
    free(c);
}

int store_job_copy(struct store *s, int from_fd, int to_fd, uint64_t from, uint64_t to)
{
    struct copy_job *c = must_calloc(1, sizeof(*c));
    *c = (struct copy_job){.job = {.work = work_copy, .discard = discard_copy},
                           .from_fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 0),
                           .to_fd = fcntl(to_fd, F_DUPFD_CLOEXEC, 0),
                           .at = from,
                           .to = to};
    int r = disk_do(s->disk, &c->job);
    if (r == -ETIMEDOUT)
        return r;
    if (r == 0)
        r = c->result;
    discard_copy(&c->job);
    return r;
}

static void work_nothing(struct disk_job *j)
{
    (void)j;
}

void store_job_remove(struct store *s, int fd, int reader, const char *tmp_name)
{
    struct file_job *f = file_job(s, tmp_name, work_nothing, discard_file);
    f->fd = fd;
    f->reader = reader;
    disk_leave(s->disk, &f->job);
}

/* --- publishing ----------------------------------------------------------------------------- */

struct publish_job {
    struct disk_job job;
    struct store *store;
    struct store_publish block;
    int fd, result;
};

/* The first block of a shard makes its directory: most stores never need all of them. */
static int move_into_place(struct store *s, const char *tmp_name, char name[STORE_NAME_MAX])
{
    if (renameat(s->dir_fd, tmp_name, s->dir_fd, name) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    char *slash = strrchr(name, '/');
    *slash = '\0';
    bool made = mkdirat(s->dir_fd, name, 0700) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made || renameat(s->dir_fd, tmp_name, s->dir_fd, name) < 0)
        return -errno;
    return 0;
}

/* Publish by rename: a reader must never see half a block. */
int store_job_publish_file(struct store *s, int fd, const struct store_publish *b)
{
    char name[STORE_NAME_MAX];
    struct stat st, old;
    store_block_name(&b->version, b->index, name);
    struct store_place place = {b->version.id, b->index};
    bool replaces = store_filter_may(&s->filter, &place) && fstatat(s->dir_fd, name, &old, 0) == 0;
    store_filter_add(&s->filter, &place);
    int r = move_into_place(s, b->tmp_name, name);
    if (r < 0)
        return r;
    store_took(s);
    store_tell_published(s, &b->version, b->index);
    if (fstat(fd, &st) == 0)
        store_account(s, (int64_t)st.st_blocks * 512 - b->accounted);
    if (replaces)
        store_account(s, -(int64_t)old.st_blocks * 512);
    return 0;
}

static void work_publish(struct disk_job *j)
{
    struct publish_job *p = (struct publish_job *)j;
    const struct store_publish *b = &p->block;
    uint64_t at = block_file_trailer_at(version_block_len(&b->version, b->index));
    p->result = block_file_write(p->fd, b->trailer, b->trailer_len, at);
    if (p->result == 0)
        p->result = store_job_publish_file(p->store, p->fd, b);
}

static void discard_publish(struct disk_job *j)
{
    struct publish_job *p = (struct publish_job *)j;
    if (p->result < 0) {
        unlinkat(p->store->dir_fd, p->block.tmp_name, 0);
        store_account(p->store, -p->block.accounted);
    }
    close(p->fd);
    free(p);
}

int store_job_publish(struct store *s, int fd, const struct store_publish *block)
{
    struct publish_job *p = must_calloc(1, sizeof(*p));
    *p = (struct publish_job){.job = {.work = work_publish, .discard = discard_publish},
                              .store = s,
                              .block = *block,
                              .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    int r = disk_do(s->disk, &p->job);
    if (r == -EBUSY)
        disk_leave(s->disk, &p->job);
    if (r < 0)
        return r;
    r = p->result;
    close(p->fd);
    free(p);
    return r;
}
