#include "agent/store/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "common/alloc.h"
#include "common/cleanup.h"

struct kept {
    UT_hash_handle hh;
    struct store_place place; /* the table's key */
    struct version *version;
    struct kept *prev, *next; /* in the list that it is in */
    int fd;                   /* read-only */
    uint32_t bytes;
    int64_t used_ms; /* or when it came */
    bool is_ahead;   /* waits for its first reader */
};

struct store_memory {
    pthread_mutex_t lock; /* guards the following */
    struct kept *table;
    struct kept *used, *ahead; /* the longest unused, or here, first */
    uint64_t ahead_bytes;

    dev_t device;    /* of all memory files; no directory is on it */
    bool has_device; /* else it could not be told */
    size_t most;     /* in the table: each takes a descriptor */
    atomic_size_t n; /* in the table: mostly none, and then nobody takes the lock */
    atomic_int_fast64_t bytes;

    store_memory_left *left;
    void *user;
};

_Static_assert(sizeof(struct store_place) == 24, "a key without padding");

static size_t most_blocks(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / 4 > STORE_MEMORY_BLOCKS_MAX)
        return STORE_MEMORY_BLOCKS_MAX;
    return (size_t)files.rlim_cur / 4;
}

static void find_device(struct store_memory *m)
{
    struct stat st;
    CLEANUP_CLOSE int fd = memfd_create("warmpath", MFD_CLOEXEC);
    m->has_device = fd >= 0 && fstat(fd, &st) == 0;
    if (m->has_device)
        m->device = st.st_dev;
}

struct store_memory *store_memory_new(store_memory_left *left, void *user)
{
    struct store_memory *m = must_calloc(1, sizeof(*m));
    m->left = left;
    m->user = user;
    find_device(m);
    m->most = most_blocks();
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

void store_memory_free(struct store_memory *m)
{
    store_memory_empty(m);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* --- with the lock held --------------------------------------------------------------- */

static struct kept *find(struct store_memory *m, const struct store_place *place)
{
    struct kept *k;
    HASH_FIND(hh, m->table, place, sizeof(*place), k);
    return k;
}

static void unlist(struct store_memory *m, struct kept *k)
{
    if (k->is_ahead) {
        DL_DELETE(m->ahead, k);
        m->ahead_bytes -= k->bytes;
    } else {
        DL_DELETE(m->used, k);
    }
}

static void use(struct store_memory *m, struct kept *k, int64_t now_ms)
{
    unlist(m, k);
    k->is_ahead = false;
    k->used_ms = now_ms;
    DL_APPEND(m->used, k);
}

static void take_out(struct store_memory *m, struct kept *k)
{
    unlist(m, k);
    HASH_DEL(m->table, k);
    atomic_fetch_sub(&m->n, 1);
    atomic_fetch_sub(&m->bytes, k->bytes);
}

/* Closing gives the memory back, unless a reader has it open. */
static void forget(struct kept *k)
{
    close(k->fd);
    free(k->version);
    free(k);
}

static void let_go(struct store_memory *m, struct kept *k)
{
    take_out(m, k);
    forget(k);
}

/* What was fetched for a reader that never came is the first to go. */
static void give_up_waiting(struct store_memory *m, int64_t now_ms)
{
    while (m->ahead && now_ms - m->ahead->used_ms >= STORE_MEMORY_AHEAD_MS) {
        struct kept *k = m->ahead;
        unlist(m, k);
        k->is_ahead = false;
        DL_PREPEND(m->used, k);
    }
}

/* Who had to go, for part_with(). */
static struct kept *make_room(struct store_memory *m)
{
    struct kept *gone = NULL;
    while (m->table && (store_memory_bytes(m) > STORE_MEMORY_MAX || atomic_load(&m->n) > m->most)) {
        struct kept *k = m->used ? m->used : m->ahead;
        take_out(m, k);
        DL_APPEND(gone, k);
    }
    return gone;
}

/* Without the lock. */
static void part_with(struct store_memory *m, struct kept *gone)
{
    struct kept *k, *next;
    DL_FOREACH_SAFE(gone, k, next)
    {
        if (m->left)
            m->left(m->user, k->version, k->place.index);
        forget(k);
    }
}

/* --- blocks --------------------------------------------------------------------------- */

void store_memory_book(struct store_memory *m, int64_t bytes)
{
    atomic_fetch_add(&m->bytes, bytes);
    if (bytes <= 0 || store_memory_bytes(m) <= STORE_MEMORY_MAX)
        return;
    pthread_mutex_lock(&m->lock);
    struct kept *gone = make_room(m);
    pthread_mutex_unlock(&m->lock);
    part_with(m, gone);
}

void store_memory_keep(struct store_memory *m, const struct version *v, uint64_t index, int fd,
                       uint32_t bytes, int64_t now_ms)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) { /* no descriptor left: whoever has this one reads it, nobody else does */
        store_memory_book(m, -(int64_t)bytes);
        return;
    }
    struct kept *k = must_calloc(1, sizeof(*k));
    k->place = (struct store_place){v->id, index};
    k->version = must(malloc(sizeof(*v)));
    *k->version = *v;
    k->fd = own;
    k->bytes = bytes;
    k->used_ms = now_ms;
    k->is_ahead = true;
    pthread_mutex_lock(&m->lock);
    struct kept *before = find(m, &k->place);
    if (before)
        let_go(m, before);
    HASH_ADD(hh, m->table, place, sizeof(k->place), k);
    DL_APPEND(m->ahead, k);
    m->ahead_bytes += bytes;
    atomic_fetch_add(&m->n, 1);
    struct kept *gone = make_room(m);
    pthread_mutex_unlock(&m->lock);
    part_with(m, gone);
}

int store_memory_get(struct store_memory *m, const struct store_place *place, int64_t now_ms)
{
    int fd = -ENOENT;
    if (atomic_load(&m->n) == 0)
        return fd;
    pthread_mutex_lock(&m->lock);
    struct kept *k = find(m, place);
    int own = k ? fcntl(k->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0) {
        use(m, k, now_ms);
        fd = own;
    }
    pthread_mutex_unlock(&m->lock);
    return fd;
}

bool store_memory_has(struct store_memory *m, const struct store_place *place)
{
    if (atomic_load(&m->n) == 0)
        return false;
    pthread_mutex_lock(&m->lock);
    bool has = find(m, place) != NULL;
    pthread_mutex_unlock(&m->lock);
    return has;
}

bool store_memory_is(const struct store_memory *m, int fd)
{
    struct stat st;
    return m->has_device && fstat(fd, &st) == 0 && st.st_dev == m->device;
}

void store_memory_used(struct store_memory *m, const struct store_place *place)
{
    if (atomic_load(&m->n) == 0)
        return;
    pthread_mutex_lock(&m->lock);
    struct kept *k = find(m, place);
    if (k)
        use(m, k, k->used_ms);
    pthread_mutex_unlock(&m->lock);
}

/* --- to the disk ------------------------------------------------------------------------ */

int store_memory_next(struct store_memory *m, struct version *v, uint64_t *index)
{
    int fd = -ENOENT;
    pthread_mutex_lock(&m->lock);
    const struct kept *k = m->used ? m->used : m->ahead;
    int own = k ? fcntl(k->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0) {
        *v = *k->version;
        *index = k->place.index;
        fd = own;
    }
    pthread_mutex_unlock(&m->lock);
    return fd;
}

void store_memory_written(struct store_memory *m, const struct store_place *place)
{
    pthread_mutex_lock(&m->lock);
    struct kept *k = find(m, place);
    if (k)
        let_go(m, k);
    pthread_mutex_unlock(&m->lock);
}

bool store_memory_is_empty(const struct store_memory *m)
{
    return atomic_load(&m->n) == 0;
}

/* --- all of them ---------------------------------------------------------------------- */

void store_memory_tick(struct store_memory *m, int64_t now_ms)
{
    if (atomic_load(&m->n) == 0)
        return;
    pthread_mutex_lock(&m->lock);
    give_up_waiting(m, now_ms);
    while (m->used && now_ms - m->used->used_ms >= STORE_MEMORY_UNUSED_MS)
        let_go(m, m->used);
    pthread_mutex_unlock(&m->lock);
}

void store_memory_empty(struct store_memory *m)
{
    pthread_mutex_lock(&m->lock);
    while (m->table)
        let_go(m, m->table);
    pthread_mutex_unlock(&m->lock);
}

uint64_t store_memory_bytes(const struct store_memory *m)
{
    int64_t bytes = atomic_load(&m->bytes);
    return bytes > 0 ? (uint64_t)bytes : 0;
}

uint64_t store_memory_ahead_bytes(struct store_memory *m, int64_t now_ms)
{
    if (atomic_load(&m->n) == 0)
        return 0;
    pthread_mutex_lock(&m->lock);
    give_up_waiting(m, now_ms);
    uint64_t bytes = m->ahead_bytes;
    pthread_mutex_unlock(&m->lock);
    return bytes;
}
