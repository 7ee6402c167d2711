#include "agent/store/evict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/store/internal.h"
#include "agent/store/shard.h"
#include "agent/store/tell.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "policy/evict.h"

#define KEEP_FREE_MAX     (1ull << 30) /* leave this, or a twentieth, of the disk to others */
#define FULL_RETRY_MS     1000
#define FULL_LATELY_MS    10000
#define REFUSED_LEAST     (64ull << 20) /* a full disk whose numbers don't say so: free this, or */
#define REFUSED_SHARE     32            /* that share of what is used */
#define COMPLAIN_EVERY_MS 60000

/* --- evicting ------------------------------------------------------------------ */

static int64_t spare_bytes(struct store *s)
{
    struct statvfs disk;
    if (fstatvfs(s->dir_fd, &disk) < 0)
        return 0;
    uint64_t keep = disk.f_blocks * disk.f_frsize / 20;
    if (keep > KEEP_FREE_MAX)
        keep = KEEP_FREE_MAX;
    return (int64_t)(disk.f_bavail * disk.f_frsize) - (int64_t)keep;
}

static uint64_t goal(struct store *s)
{
    int64_t used = atomic_load(&s->used_bytes);
    return evict_goal(used > 0 ? (uint64_t)used : 0, s->limit_bytes, spare_bytes(s));
}

static int compare_places(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct store_place));
}

_Static_assert(sizeof(struct store_place) == sizeof(struct version_id) + sizeof(uint64_t),
               "compared as bytes");

bool store_is_leaving(struct store *s, const struct store_place *place)
{
    pthread_mutex_lock(&s->leaving_lock);
    bool leaves = s->n_leaving > 0 &&
                  bsearch(place, s->leaving, s->n_leaving, sizeof(*s->leaving), compare_places);
    pthread_mutex_unlock(&s->leaving_lock);
    return leaves;
}

static void set_leaving(struct store *s, struct store_place *places, size_t n)
{
    pthread_mutex_lock(&s->leaving_lock);
    free(s->leaving);
    s->leaving = places;
    s->n_leaving = n;
    pthread_mutex_unlock(&s->leaving_lock);
}

/* Other nodes must not be sent here for what is about to go. */
static void tell_leaving(struct store *s, const struct shard *l, size_t n)
{
    struct store_place *places = must_calloc(n + 1, sizeof(*places));
    size_t known = 0;
    for (size_t i = 0; i < n; i++)
        known += shard_read_name(l->names[l->candidates[i].ref], &places[known]);
    qsort(places, known, sizeof(*places), compare_places);
    set_leaving(s, places, known); /* before anybody is told, who may look for them at once */
    store_tell_leaving(s, places, known, true);
}

/* Frees up to `goal_bytes` from a shard. Bytes freed. */
static uint64_t evict_shard(struct store *s, int shard, uint64_t goal_bytes, bool all)
{
    struct shard l = {0};
    uint64_t freed = 0;
    CLEANUP_CLOSE int fd = shard_open(s, shard);
    if (fd < 0)
        return 0;
    shard_list(fd, &l);
    size_t n = all ? l.n : evict_pick(l.candidates, l.n, goal_bytes);
    tell_leaving(s, &l, n);
    for (size_t i = 0; i < n; i++) {
        if (unlinkat(fd, l.names[l.candidates[i].ref], 0) < 0)
            continue;
        freed += l.candidates[i].bytes;
        atomic_fetch_add(&s->evicted_blocks, 1);
    }
    set_leaving(s, NULL, 0);
    store_account(s, -(int64_t)freed);
    shard_clear(&l);
    return freed;
}

/* `least_bytes`, whatever the numbers say. */
static void evict_until_fits(struct store *s, uint64_t least_bytes)
{
    unsigned shard = 0;
    if (getrandom(&shard, sizeof(shard), 0) < 0)
        shard = (unsigned)clock_monotonic_ms();
    uint64_t freed = 0;
    for (int i = 0; i < STORE_SHARDS; i++) {
        uint64_t want = goal(s);
        if (want == 0 && freed < least_bytes)
            want = least_bytes - freed;
        if (want == 0 || store_is_closing(s))
            break;
        freed += evict_shard(s, (int)shard + i, want, false);
    }
    if (!freed)
        return;
    atomic_store(&s->full_until_ms, 0);
    log_info("store", "evicted %llu MiB", (unsigned long long)(freed >> 20));
}

static uint64_t refused_bytes(struct store *s)
{
    int64_t share = atomic_load(&s->used_bytes) / REFUSED_SHARE;
    return share > (int64_t)REFUSED_LEAST ? (uint64_t)share : REFUSED_LEAST;
}

uint64_t store_evict_all(struct store *s)
{
    uint64_t freed = 0;
    for (int i = 0; i < STORE_SHARDS && !store_is_closing(s); i++)
        freed += evict_shard(s, i, UINT64_MAX, true);
    return freed;
}

/* --- the thread ---------------------------------------------------------------- */

static void count(struct store *s)
{
    int64_t bytes = 0;
    size_t blocks = 0;
    int64_t begun_s = clock_wall_s();
    bool all_seen = true;
    for (int i = 0; i < STORE_SHARDS && !store_is_closing(s); i++) {
        struct shard l = {0};
        CLEANUP_CLOSE int fd = shard_open(s, i);
        all_seen &= fd >= 0 ? shard_list(fd, &l) : errno == ENOENT;
        for (size_t k = 0; k < l.n; k++) {
            struct store_place place;
            if (shard_read_name(l.names[k], &place))
                store_filter_add(&s->filter, &place);
            if (l.candidates[k].changed_s >= begun_s)
                continue; /* published since, and booked then */
            bytes += (int64_t)l.candidates[k].bytes;
            blocks++;
        }
        shard_clear(&l);
    }
    store_account(s, bytes);
    atomic_store(&s->filter.complete, all_seen && !store_is_closing(s));
    atomic_store(&s->counted, true);
    log_info("store", "found %zu blocks, %lld MiB", blocks, (long long)(bytes >> 20));
}

static void empty_store(struct store *s)
{
    uint64_t freed = store_evict_all(s);
    log_info("store", "emptied: %llu MiB", (unsigned long long)(freed >> 20));
    pthread_mutex_lock(&s->lock);
    s->want_empty = false;
    pthread_mutex_unlock(&s->lock);
}

void store_evict_all_soon(struct store *s)
{
    store_memory_empty(s->memory);
    pthread_mutex_lock(&s->lock);
    s->want_empty = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
}

/* With the lock: is there more to tell now? */
static bool tells(struct store *s, struct store_tell *t)
{
    t->waits &= !s->may_tell;
    s->may_tell = false;
    if (s->want_told && (t->waits || t->shard == STORE_SHARDS)) {
        *t = (struct store_tell){0};
        s->want_told = false;
    }
    return t->shard < STORE_SHARDS && !t->waits;
}

void store_evict_run(struct store *s)
{
    struct store_tell tell = {.shard = STORE_SHARDS};
    bool tells_now;
    count(s);
    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (!(tells_now = tells(s, &tell)) && !s->want_room && !s->want_empty && !s->closing)
            pthread_cond_wait(&s->wanted, &s->lock);
        bool closing = s->closing, empty = s->want_empty, refused = s->was_refused,
             room = s->want_room;
        s->want_room = s->was_refused = false;
        pthread_mutex_unlock(&s->lock);
        if (closing)
            return;
        if (empty)
            empty_store(s);
        else if (room)
            evict_until_fits(s, refused ? refused_bytes(s) : 0);
        if (tells_now) /* one shard at a time, as room may be wanted meanwhile */
            store_tell_shard(s, &tell);
    }
}

static void want_room(struct store *s, bool refused)
{
    pthread_mutex_lock(&s->lock);
    s->want_room = true;
    s->was_refused |= refused;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
}

void store_make_room(struct store *s)
{
    if (goal(s) > 0)
        want_room(s, false);
}

/* --- a disk that takes no more -------------------------------------------------- */

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

static void complain(struct store *s, int error)
{
    int64_t now = clock_monotonic_ms(), last = atomic_load(&s->complained_ms);
    if (last && now - last < COMPLAIN_EVERY_MS)
        return;
    if (!atomic_compare_exchange_strong(&s->complained_ms, &last, now))
        return;
    if (error == ETIMEDOUT || error == EBUSY || error == ENOBUFS)
        log_warn("store",
                 "%s: the disk does not answer: reads go on from memory, up to %llu MiB of it, and "
                 "cost more; look at that disk, or set WARMPATH_CACHE_DIR",
                 s->dir, STORE_MEMORY_MAX >> 20);
    else
        log_warn("store",
                 "%s: %s (%s): reads go on from memory, up to %llu MiB of it, and cost more; free "
                 "space there, or set WARMPATH_CACHE_DIR or a smaller WARMPATH_CACHE_SIZE",
                 s->dir, is_full(error) ? "the disk is full" : "cannot write", strerror(error),
                 STORE_MEMORY_MAX >> 20);
}

void store_refused(struct store *s, int error)
{
    complain(s, error);
    if (!is_full(error))
        return;
    int64_t now = clock_monotonic_ms();
    atomic_store(&s->refused_ms, now);
    atomic_store(&s->full_until_ms, now + FULL_RETRY_MS);
    atomic_store(&s->full, true);
    want_room(s, true);
}

bool store_was_full_lately(struct store *s)
{
    int64_t refused_ms = atomic_load(&s->refused_ms);
    return atomic_load(&s->full) ||
           (refused_ms && clock_monotonic_ms() - refused_ms < FULL_LATELY_MS);
}

void store_took(struct store *s)
{
    atomic_store(&s->full, false);
}

bool store_may_try(struct store *s)
{
    if (!atomic_load(&s->full))
        return true;
    int64_t now = clock_monotonic_ms(), until = atomic_load(&s->full_until_ms);
    return now >= until &&
           atomic_compare_exchange_strong(&s->full_until_ms, &until, now + FULL_RETRY_MS);
}
