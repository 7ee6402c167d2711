/* What is stored, but not in the page cache: brought there before somebody waits for it, by the
 * disk's threads. A hint: where much is under way already, it is forgotten. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/store/internal.h"
#include "agent/store/jobs.h"
#include "agent/store/look.h"
#include "common/alloc.h"

/* In the disk's queue at once: what others want of the disk must not wait for long behind it. */
#define UNDER_WAY_MAX (64u << 20)
/* The kernel takes no more of one call than the device reads ahead, or takes in one request: 128
 * KiB where nobody changed that. */
#define ADVISE_BYTES (128u << 10)

struct ahead {
    struct disk_job job;
    struct store *store;
    int fd; /* -1: to be found by its name, and verified */
    struct version version;
    uint64_t index;
    uint32_t bytes;
};

static void bring(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return;
    for (off_t at = 0; at < st.st_size; at += ADVISE_BYTES)
        posix_fadvise(fd, at, ADVISE_BYTES, POSIX_FADV_WILLNEED);
}

static void work_ahead(struct disk_job *j)
{
    struct ahead *a = (struct ahead *)j;
    if (a->fd >= 0 || store_look_now(a->store, &a->version, a->index, true, &a->fd) == 0)
        bring(a->fd);
    atomic_fetch_sub(&a->store->ahead_bytes, a->bytes);
}

static void discard_ahead(struct disk_job *j)
{
    struct ahead *a = (struct ahead *)j;
    if (a->fd >= 0)
        close(a->fd);
    free(a);
}

/* NULL: there is no room for it now. */
static struct ahead *make(struct store *s, uint32_t bytes)
{
    if (disk_is_stalled(s->disk))
        return NULL;
    uint64_t before = atomic_fetch_add(&s->ahead_bytes, bytes);
    if (before > 0 && before + bytes > UNDER_WAY_MAX) { /* a block may be longer than that */
        atomic_fetch_sub(&s->ahead_bytes, bytes);
        return NULL;
    }
    struct ahead *a = must_calloc(1, sizeof(*a));
    *a = (struct ahead){.job = {.work = work_ahead, .discard = discard_ahead, .gives_way = true},
                        .store = s,
                        .fd = -1,
                        .bytes = bytes};
    return a;
}

/* Is its middle in the page cache? Yes, too, where the file system can't say. */
static bool is_cached(int fd, const struct stat *st)
{
    char byte;
    struct iovec room = {&byte, 1};
    return preadv2(fd, &room, 1, st->st_size / 2, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

void store_read_ahead(struct store *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || is_cached(fd, &st))
        return;
    struct ahead *a = make(s, (uint32_t)st.st_size);
    if (!a)
        return;
    a->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    disk_leave(s->disk, &a->job);
}

void store_verify_ahead(struct store *s, const struct version *v, uint64_t index)
{
    struct ahead *a = make(s, version_block_len(v, index));
    if (!a)
        return;
    a->version = *v;
    a->index = index;
    disk_leave(s->disk, &a->job);
}
