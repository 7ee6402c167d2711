#include "agent/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/alloc.h"

struct partial {
    uint32_t len, piece_bytes;
    uint64_t all; /* the mask of a complete block */
    _Atomic uint64_t have;
    atomic_bool complete, awaited;

    atomic_int reader; /* of what is there; negative: not yet, or it can't be had */

    pthread_mutex_t lock;        /* guards the following; held while the disk is written to */
    struct store_writer *writer; /* NULL once complete, or when completing it failed */
    bool in_memory;              /* the reader shows memory */
    int retired[3], n_retired;   /* former readers: somebody may be copying one */
    int error;                   /* why it could not be completed */
};

static unsigned count_pieces(const struct partial *p, uint32_t bytes)
{
    return (bytes + p->piece_bytes - 1) / p->piece_bytes;
}

static uint64_t low_bits(unsigned n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static uint32_t piece_of(uint32_t block_bytes, uint32_t least_bytes)
{
    uint32_t bytes = block_bytes / PARTIAL_PIECES;
    if (bytes < least_bytes)
        bytes = least_bytes;
    if (bytes < PARTIAL_PIECE_MIN)
        bytes = PARTIAL_PIECE_MIN;
    if (bytes > PARTIAL_PIECE_MAX)
        bytes = PARTIAL_PIECE_MAX;
    return bytes < block_bytes ? bytes : block_bytes;
}

struct partial *partial_new(struct store *s, const struct version *v, uint64_t index,
                            uint32_t piece_bytes)
{
    struct partial *p = must_calloc(1, sizeof(*p));
    p->len = version_block_len(v, index);
    p->piece_bytes = piece_of(v->block_bytes, piece_bytes);
    p->all = low_bits(count_pieces(p, p->len));
    pthread_mutex_init(&p->lock, NULL);
    p->writer = store_begin(s, v, index);
    p->reader = -1;
    return p;
}

void partial_free(struct partial *p)
{
    if (p->writer)
        store_abort(p->writer, p->reader);
    else if (p->reader >= 0)
        close(p->reader);
    while (p->n_retired > 0)
        close(p->retired[--p->n_retired]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- pieces ------------------------------------------------------------------------ */

uint32_t partial_len(const struct partial *p)
{
    return p->len;
}

uint32_t partial_piece_bytes(const struct partial *p)
{
    return p->piece_bytes;
}

uint64_t partial_mask(const struct partial *p, struct span range)
{
    if (range.to <= range.from)
        return 0;
    return low_bits(count_pieces(p, range.to)) & ~low_bits(range.from / p->piece_bytes);
}

static struct span span_of(const struct partial *p, unsigned first, unsigned end)
{
    struct span s = {first * p->piece_bytes, end * p->piece_bytes};
    if (s.to > p->len)
        s.to = p->len;
    return s;
}

struct span partial_run(const struct partial *p, uint64_t mask)
{
    unsigned first = (unsigned)__builtin_ctzll(mask);
    uint64_t rest = ~(mask >> first);
    unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : 64;
    return span_of(p, first, first + n);
}

uint64_t partial_have(const struct partial *p)
{
    return atomic_load(&p->have);
}

uint64_t partial_missing(const struct partial *p, uint64_t wanted)
{
    return wanted & p->all & ~partial_have(p);
}

bool partial_is_complete(const struct partial *p)
{
    return atomic_load(&p->complete);
}

uint32_t partial_memory_bytes(const struct partial *p)
{
    unsigned pieces = (unsigned)__builtin_popcountll(partial_have(p));
    return p->in_memory ? pieces * p->piece_bytes : 0;
}

struct span partial_ready(const struct partial *p, struct span need)
{
    uint64_t have = partial_have(p), needed = partial_mask(p, need);
    if (needed & ~have)
        return (struct span){0, 0};
    unsigned first = need.from / p->piece_bytes, end = count_pieces(p, need.to);
    while (first > 0 && (have >> (first - 1) & 1))
        first--;
    while (end < 64 && (have >> end & 1))
        end++;
    return span_of(p, first, end);
}

/* --- bytes ------------------------------------------------------------------------- */

static void replace_reader(struct partial *p, int fd)
{
    int former = atomic_exchange(&p->reader, fd);
    if (former >= 0)
        p->retired[p->n_retired++] = former;
}

/* With the lock held: a reader that shows what is written now. 0 or -errno. */
static int follow(struct partial *p)
{
    bool in_memory = store_in_memory(p->writer);
    if (atomic_load(&p->reader) >= 0 && p->in_memory == in_memory)
        return 0;
    int fd = store_reader(p->writer);
    if (fd < 0)
        return fd;
    p->in_memory = store_in_memory(p->writer); /* it may have made the file */
    replace_reader(p, fd);
    return 0;
}

void partial_prepare(struct partial *p, bool all)
{
    pthread_mutex_lock(&p->lock);
    if (p->writer && all)
        store_expect_all(p->writer);
    if (p->writer)
        follow(p);
    pthread_mutex_unlock(&p->lock);
}

static void complete(struct partial *p, const uint64_t *hash)
{
    bool published;
    int fd = store_commit(p->writer, hash, &published);
    p->writer = NULL;
    if (fd < 0) {
        p->error = fd;
        return;
    }
    replace_reader(p, fd);
    atomic_store(&p->complete, true);
}

/* The reader must show a piece before anybody is told that it is there. */
static int write_piece(struct partial *p, uint32_t offset, const void *data, size_t len)
{
    int r = store_write(p->writer, offset, data, len);
    return r < 0 ? r : follow(p);
}

int partial_write(struct partial *p, uint32_t offset, const void *data, size_t len,
                  const uint64_t *hash)
{
    uint64_t mask = partial_mask(p, (struct span){offset, offset + (uint32_t)len});
    int r = 0;
    pthread_mutex_lock(&p->lock);
    if (p->writer) { /* else another request brought the same before */
        r = write_piece(p, offset, data, len);
        if (r == 0 && (atomic_fetch_or(&p->have, mask) | mask) == p->all)
            complete(p, hash);
    }
    if (p->error)
        r = p->error;
    pthread_mutex_unlock(&p->lock);
    return r;
}

void partial_await(struct partial *p)
{
    atomic_store(&p->awaited, true);
}

bool partial_is_awaited(const struct partial *p)
{
    return atomic_load(&p->awaited);
}

void partial_adopt(struct partial *p, int fd)
{
    pthread_mutex_lock(&p->lock);
    int own = p->writer ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0) {
        store_abort(p->writer, -1);
        p->writer = NULL;
        replace_reader(p, own);
        atomic_store(&p->have, p->all);
        atomic_store(&p->complete, true);
    }
    pthread_mutex_unlock(&p->lock);
}

/* Without the lock: the loop does not wait for the disk. */
int partial_reader(struct partial *p)
{
    int reader = atomic_load(&p->reader);
    int fd = reader >= 0 ? fcntl(reader, F_DUPFD_CLOEXEC, 0) : -1;
    return fd >= 0 ? fd : reader < 0 ? -EIO : -errno;
}
