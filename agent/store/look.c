#include "agent/store/look.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/store/block_file.h"
#include "agent/store/internal.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"

bool store_is_suspect(const struct store *s, const struct stat *st)
{
    const struct timespec *written = &st->st_mtim, *before = &s->suspect_before;
    return written->tv_sec < before->tv_sec ||
           (written->tv_sec == before->tv_sec && written->tv_nsec < before->tv_nsec) ||
           written->tv_sec > clock_wall_s();
}

/* Removes a block that didn't verify. */
static void drop_bad(struct store *s, const struct version *v, uint64_t index, const char *name,
                     const struct stat *st)
{
    struct store_place place = {v->id, index};
    log_warn("store", "%s/%s does not verify: dropped, it will be fetched again", s->dir, name);
    atomic_fetch_add(&s->bad_blocks, 1);
    if (unlinkat(s->dir_fd, name, 0) == 0)
        store_account(s, -(int64_t)st->st_blocks * 512);
    store_tell_leaving(s, &place, 1, false); /* it is not to be found and announced again */
}

struct look {
    struct disk_job job;
    struct store *store;
    struct version version;
    uint64_t index;
    bool verify;
    int fd, result;
};

/* Verifies a suspect block once: its time of modification then says that it was. */
static bool trusted(const struct store *s, int fd, const struct stat *st, const struct version *v,
                    uint64_t index)
{
    if ((uint64_t)st->st_size <= block_file_trailer_at(version_block_len(v, index)))
        return false;
    if (!store_is_suspect(s, st))
        return true;
    if (!block_file_verify(fd, v, index, true))
        return false;
    struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    futimens(fd, now);
    return true;
}

int store_look_now(struct store *s, const struct version *v, uint64_t index, bool verify, int *fd)
{
    char name[STORE_NAME_MAX];
    struct stat st;
    store_block_name(v, index, name);
    *fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0 || fstat(*fd, &st) < 0)
        return -ENOENT;
    if (!verify || trusted(s, *fd, &st, v, index))
        return 0;
    drop_bad(s, v, index, name, &st);
    return -ENOENT;
}

static void work_look(struct disk_job *j)
{
    struct look *l = (struct look *)j;
    l->result = store_look_now(l->store, &l->version, l->index, l->verify, &l->fd);
}

static void discard_look(struct disk_job *j)
{
    struct look *l = (struct look *)j;
    if (l->fd >= 0)
        close(l->fd);
    free(l);
}

int store_look(struct store *s, const struct version *v, uint64_t index, bool verify, int *fd)
{
    struct look *l = must_calloc(1, sizeof(*l));
    *l = (struct look){.job = {.work = work_look, .discard = discard_look},
                       .store = s,
                       .version = *v,
                       .index = index,
                       .verify = verify,
                       .fd = -1};
    int r = disk_do(s->disk, &l->job);
    if (r == -ETIMEDOUT)
        return r;
    if (r == 0)
        r = l->result;
    if (r == 0) {
        *fd = l->fd;
        l->fd = -1;
    }
    discard_look(&l->job);
    return r;
}

struct touch {
    struct disk_job job;
    struct store *store;
    char name[STORE_NAME_MAX];
};

static void work_touch(struct disk_job *j)
{
    struct touch *t = (struct touch *)j;
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    utimensat(t->store->dir_fd, t->name, times, AT_SYMLINK_NOFOLLOW);
}

static void discard_touch(struct disk_job *j)
{
    free(j);
}

void store_touch(struct store *s, const struct version *v, uint64_t index)
{
    if (disk_is_stalled(s->disk))
        return;
    struct touch *t = must_calloc(1, sizeof(*t));
    *t = (struct touch){.job = {.work = work_touch, .discard = discard_touch}, .store = s};
    store_block_name(v, index, t->name);
    disk_leave(s->disk, &t->job);
}
