#include "agent/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/store/behind.h"
#include "agent/store/block_file.h"
#include "agent/store/evict.h"
#include "agent/store/internal.h"
#include "agent/store/jobs.h"
#include "agent/store/look.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/options.h"

#define TOUCH_EVERY_S 60 /* precision of "last used" */

void store_block_name(const struct version *v, uint64_t index, char out[STORE_NAME_MAX])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out + sprintf(out, "blocks/%02x/", v->id.bytes[0]);
    for (size_t i = 0; i < sizeof(v->id.bytes); i++) {
        *p++ = hex[v->id.bytes[i] >> 4];
        *p++ = hex[v->id.bytes[i] & 15];
    }
    sprintf(p, "-%08llx", (unsigned long long)index);
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

/* --- who is told -------------------------------------------------------------- */

void store_watch(struct store *s, const struct store_watcher *w)
{
    pthread_rwlock_wrlock(&s->watch_lock);
    s->watcher = w ? *w : (struct store_watcher){0};
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_published(struct store *s, const struct version *v, uint64_t index)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.published)
        s->watcher.published(s->watcher.user, v, index);
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_kept(struct store *s, const struct version *v, uint64_t index)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.kept)
        s->watcher.kept(s->watcher.user, v, index);
    pthread_rwlock_unlock(&s->watch_lock);
}

void store_tell_leaving(struct store *s, const struct store_place *places, size_t n, bool may_wait)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    if (s->watcher.leaving && n > 0)
        s->watcher.leaving(s->watcher.user, places, n, may_wait);
    pthread_rwlock_unlock(&s->watch_lock);
}

bool store_tell_found(struct store *s, const struct store_place *place, uint64_t blocks)
{
    pthread_rwlock_rdlock(&s->watch_lock);
    bool goes_on = s->watcher.found && s->watcher.found(s->watcher.user, place, blocks);
    pthread_rwlock_unlock(&s->watch_lock);
    return goes_on;
}

bool store_is_closing(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool closing = s->closing;
    pthread_mutex_unlock(&s->lock);
    return closing;
}

/* --- reading ------------------------------------------------------------------ */

/* Opens a name that the kernel knows without asking the disk: the descriptor, -ENOENT, or -EAGAIN
 * when it doesn't (or is too old to say). */
static int open_known(struct store *s, const char *name, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_CACHED};
    int fd = (int)syscall(SYS_openat2, s->dir_fd, name, &how, sizeof(how));
    if (fd >= 0)
        return fd;
    return errno == ENOENT ? -ENOENT : -EAGAIN;
}

/* Right as it is: of its length, and not to be verified. */
static bool is_fine(const struct store *s, const struct stat *st, const struct version *v,
                    uint64_t index)
{
    return (uint64_t)st->st_size > block_file_trailer_at(version_block_len(v, index)) &&
           !store_is_suspect(s, st);
}

static int get_from_disk(struct store *s, const struct version *v, uint64_t index)
{
    char name[STORE_NAME_MAX];
    struct stat st;
    store_block_name(v, index, name);
    int fd = open_known(s, name, O_RDONLY);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !is_fine(s, &st, v, index))) {
        close(fd);
        fd = -EAGAIN;
    }
    if (fd == -EAGAIN && (store_look(s, v, index, true, &fd) < 0 || fstat(fd, &st) < 0))
        return -ENOENT;
    if (fd >= 0 && clock_wall_s() - st.st_atim.tv_sec >= TOUCH_EVERY_S)
        store_touch(s, v, index);
    return fd;
}

int store_get(struct store *s, const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    int fd = store_memory_get(s->memory, &place, clock_monotonic_ms());
    if (fd < 0 && store_filter_may(&s->filter, &place))
        fd = get_from_disk(s, v, index);
    return fd;
}

static bool is_on_disk(struct store *s, const struct version *v, uint64_t index)
{
    char name[STORE_NAME_MAX];
    struct store_place place = {v->id, index};
    if (!store_filter_may(&s->filter, &place))
        return false;
    store_block_name(v, index, name);
    CLEANUP_CLOSE int fd = open_known(s, name, O_PATH);
    return fd >= 0 || (fd == -EAGAIN && store_look(s, v, index, false, &fd) == 0);
}

bool store_has(struct store *s, const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    return store_memory_has(s->memory, &place) || is_on_disk(s, v, index);
}

bool store_offers(struct store *s, const struct version *v, uint64_t index)
{
    struct store_place place = {v->id, index};
    return !store_is_leaving(s, &place) && is_on_disk(s, v, index);
}

void store_read_block_ahead(struct store *s, const struct version *v, uint64_t index)
{
    char name[STORE_NAME_MAX];
    struct stat st;
    store_block_name(v, index, name);
    CLEANUP_CLOSE int fd = open_known(s, name, O_RDONLY);
    if (fd >= 0 && fstat(fd, &st) == 0 && is_fine(s, &st, v, index))
        store_read_ahead(s, fd);
    else if (fd != -ENOENT)
        store_verify_ahead(s, v, index);
}

bool store_is_closed(struct store *s)
{
    int r = store_job_exists(s, NODE_CLOSED_FILE);
    if (r == 0 || r == -ENOENT)
        atomic_store(&s->closed, r == 0);
    return atomic_load(&s->closed);
}

bool store_is_removed(const struct store *s)
{
    struct statx st; /* as known: a network disk isn't asked */
    return statx(s->dir_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &st) == 0 &&
           st.stx_nlink == 0;
}

/* --- memory ------------------------------------------------------------------- */

bool store_keeps_in_memory(struct store *s, const struct store_place *place)
{
    return store_memory_has(s->memory, place);
}

bool store_is_memory(const struct store *s, int fd)
{
    return store_memory_is(s->memory, fd);
}

void store_note_used(struct store *s, const struct store_place *place)
{
    store_memory_used(s->memory, place);
}

uint64_t store_room_ahead(struct store *s)
{
    if (!atomic_load(&s->full) && !store_is_behind(s) && !disk_is_stalled(s->disk))
        return UINT64_MAX;
    uint64_t ahead = store_memory_ahead_bytes(s->memory, clock_monotonic_ms());
    return ahead < STORE_MEMORY_AHEAD_MAX ? STORE_MEMORY_AHEAD_MAX - ahead : 0;
}

_Static_assert(STORE_WATCH_MS <= DISK_WATCH_MS, "as often as the disk wants it");

void store_watch_disk(struct store *s)
{
    disk_watch(s->disk);
    store_memory_tick(s->memory, clock_monotonic_ms());
    store_behind_go_on(s);
}

void store_numbers(struct store *s, struct store_numbers *out)
{
    int64_t used = atomic_load(&s->used_bytes);
    out->used_bytes = used > 0 ? (uint64_t)used : 0;
    out->limit_bytes = s->limit_bytes;
    out->evicted_blocks = atomic_load(&s->evicted_blocks);
    out->bad_blocks = atomic_load(&s->bad_blocks);
    out->counted = atomic_load(&s->counted);
    out->stalled = disk_is_stalled(s->disk);
    out->full = store_was_full_lately(s);
    out->behind = store_is_behind(s);
    out->memory_bytes = store_memory_bytes(s->memory);
    pthread_mutex_lock(&s->lock);
    out->emptying = s->want_empty;
    pthread_mutex_unlock(&s->lock);
}
