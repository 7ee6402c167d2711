#include "preload/object.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/client.h"
#include "preload/memory.h"
#include "preload/ownfd.h"
#include "preload/real.h"
#include "preload/slab.h"

#define LARGE_READ (64 * 1024) /* from here on a pread of the block file is the cheaper copy */
#define MAPS_MAX   16384       /* mapped blocks a process; the kernel allows 65530 maps */
#define PAGE       4096u

static struct slab objects = {.item_bytes = SLAB_ITEM_BYTES(struct object)};
static struct slab runs = {.item_bytes = SLAB_ITEM_BYTES(struct run)};
static atomic_int maps; /* blocks mapped now */

/* --- life ------------------------------------------------------------------------------ */

static size_t mapped_bytes(const struct object *o, uint64_t index)
{
    return (object_block_len(o, index) + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static int is_named(void *item, const void *user)
{
    struct object *o = item;
    const struct object_name *n = user;
    uint32_t refs = atomic_load(&o->refs);
    if (o->size_bytes != n->size_bytes || o->mtime_s != n->mtime_s)
        return 0; /* without a reference yet: a quick no among many open files */
    do
        if (refs == 0)
            return 0;
    while (!atomic_compare_exchange_weak(&o->refs, &refs, refs + 1));
    if (o->size_bytes == n->size_bytes && o->mapping->bucket_len == n->mapping->bucket_len &&
        o->block_bytes == n->block_bytes && strcmp(o->etag, n->etag) == 0 &&
        strcmp(o->key, n->key) == 0 && strcmp(o->mapping->bucket, n->mapping->bucket) == 0)
        return 1;
    object_unref(o);
    return 0;
}

static struct object *make(const struct object_name *n)
{
    struct object *o = slab_take(&objects);
    if (!o)
        return NULL;
    o->mapping = n->mapping;
    strcpy(o->key, n->key);
    strcpy(o->etag, n->etag);
    o->size_bytes = n->size_bytes;
    o->mtime_s = n->mtime_s;
    o->block_bytes = n->block_bytes;
    o->block_shift = (unsigned)__builtin_ctz(n->block_bytes);
    o->n_blocks = (n->size_bytes + n->block_bytes - 1) >> o->block_shift;
    atomic_store(&o->only, NULL);
    o->blocks = o->n_blocks > 1 ? memory_map(o->n_blocks * sizeof(*o->blocks)) : &o->only;
    if (!o->blocks) {
        slab_give(&objects, o);
        return NULL;
    }
    atomic_store(&o->refs, 1);
    return o;
}

struct object *object_get(const struct object_name *name)
{
    struct object *known = slab_find(&objects, is_named, name);
    return known ? known : make(name);
}

void object_unref(struct object *o)
{
    if (atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    for (uint64_t i = 0; i < o->n_blocks; i++) {
        void *at = atomic_load(&o->blocks[i]);
        if (!at)
            continue;
        memory_unmap(at, mapped_bytes(o, i));
        atomic_fetch_sub(&maps, 1);
    }
    if (o->blocks != &o->only)
        memory_unmap((void *)o->blocks, o->n_blocks * sizeof(*o->blocks));
    slab_give(&objects, o);
}

/* --- runs ------------------------------------------------------------------------------ */

struct run *run_new(uint64_t first, const struct block_part *part, const int *fds, int n)
{
    struct run *r = slab_take(&runs);
    if (!r) {
        for (int i = 0; i < n; i++)
            syscall(SYS_close, fds[i]);
        return NULL;
    }
    r->first = first;
    r->n = n;
    r->uses = 0;
    r->part = *part;
    for (int i = 0; i < n; i++)
        r->fds[i] = ownfd_take(fds[i]);
    return r;
}

void run_free(struct run *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n; i++)
        ownfd_close(r->fds[i]);
    slab_give(&runs, r);
}

void run_forget_all(void)
{
    slab_reset(&runs);
}

/* --- fetching -------------------------------------------------------------------------- */

/* With the first of the numbers that are the request's own: a block, or a byte. */
static void begin_for(struct client_call *c, enum wire_op op, const struct object *o,
                      uint64_t first)
{
    client_begin(c, op);
    client_put_name(c, o->mapping, o->key, strlen(o->key));
    wire_put_str(&c->out, o->etag, strlen(o->etag));
    wire_put_u64(&c->out, o->size_bytes);
    wire_put_u32(&c->out, o->block_bytes);
    wire_put_u64(&c->out, first);
    state_count(op == WIRE_WANT ? COUNTER_hints : COUNTER_block_requests, 1);
}

int object_fetch(struct object *o, uint64_t first, int at_most, struct block_part *part, int *fds)
{
    struct client_call c;
    begin_for(&c, WIRE_BLOCKS, o, first);
    wire_put_u32(&c.out, (uint32_t)at_most);
    wire_put_u32(&c.out, part->from);
    wire_put_u32(&c.out, part->to);
    wire_put_u32(&c.out, part->at);
    wire_put_u8(&c.out, (part->goes_on ? WIRE_BLOCKS_GOES_ON : 0) |
                            (part->maps ? WIRE_BLOCKS_MAPS : 0) |
                            (part->advice == OBJECT_SEQUENTIAL ? WIRE_BLOCKS_SEQUENTIAL : 0) |
                            (part->advice == OBJECT_RANDOM ? WIRE_BLOCKS_RANDOM : 0));
    int r = client_call(&c, o->key, NULL, 0);
    if (r < 0)
        return r;
    wire_get_u32(&c.in);
    block_part_get(&c.in, part);
    for (int i = 0; i < c.n_fds; i++)
        if (i < at_most)
            fds[i] = c.fds[i];
        else
            syscall(SYS_close, c.fds[i]);
    return c.n_fds == 0 ? -EIO : c.n_fds < at_most ? c.n_fds : at_most;
}

/* Blocks that the process has mapped already need no message. */
static uint64_t skip_mapped(const struct object *o, uint64_t from, uint64_t to)
{
    while (from < to &&
           atomic_load_explicit(&o->blocks[from >> o->block_shift], memory_order_relaxed))
        from = ((from >> o->block_shift) + 1) << o->block_shift;
    return from;
}

void object_want(struct object *o, uint64_t from, uint64_t to, bool wanted)
{
    struct client_call c;
    to = to < o->size_bytes ? to : o->size_bytes;
    if (wanted)
        from = skip_mapped(o, from, to);
    if (from >= to)
        return;
    begin_for(&c, WIRE_WANT, o, from);
    wire_put_u64(&c.out, to);
    wire_put_u8(&c.out, wanted);
    client_tell(&c);
}

int object_ask_held(struct object *o, uint64_t first, uint64_t end, struct object_held *held)
{
    struct client_call c;
    begin_for(&c, WIRE_HELD, o, first);
    wire_put_u32(&c.out, end - first > UINT32_MAX ? UINT32_MAX : (uint32_t)(end - first));
    int r = client_call(&c, o->key, NULL, 0);
    if (r < 0)
        return r;
    held->next = wire_get_u64(&c.in);
    held->n = (int)wire_get_u32(&c.in);
    for (int i = 0; i < held->n && i < c.n_fds; i++) {
        held->index[i] = wire_get_u64(&c.in);
        held->fds[i] = c.fds[i];
        c.in.bad |= held->index[i] < first || held->index[i] >= end;
    }
    if (!c.in.bad && held->n == c.n_fds && held->next > first)
        return 0;
    while (c.n_fds > 0)
        syscall(SYS_close, c.fds[--c.n_fds]);
    return -EIO;
}

/* --- reading --------------------------------------------------------------------------- */

/* Maps a block for good. NULL when there are too many maps: then the descriptor is read instead. */
static void *map_block(struct object *o, uint64_t index, int fd)
{
    if (atomic_load(&maps) >= MAPS_MAX)
        return NULL;
    void *at = memory_map_fd(mapped_bytes(o, index), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (!at)
        return NULL;
    void *none = NULL;
    if (!atomic_compare_exchange_strong(&o->blocks[index], &none, at)) {
        memory_unmap(at, mapped_bytes(o, index));
        return none;
    }
    atomic_fetch_add(&maps, 1);
    return at;
}

static ssize_t read_fd(int fd, void *buf, size_t n, uint64_t offset)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = REAL(pread)(fd, (char *)buf + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EIO; /* a block file is never short */
        done += (size_t)got;
    }
    return (ssize_t)n;
}

static bool covers(const struct run *r, uint64_t index, uint64_t from, uint64_t to)
{
    if (!r || index < r->first || index >= r->first + (uint64_t)r->n)
        return false;
    return index > r->first || r->part.complete || (from >= r->part.from && to <= r->part.to);
}

/* Makes the reader's run cover bytes [from, to) of the block. 0 or -errno. */
static int run_to(struct object *o, struct reader *reader, uint64_t index, uint64_t from,
                  uint64_t to)
{
    struct run *r = reader->run;
    if (covers(r, index, from, to))
        return 0;
    int fds[RUN_BLOCKS];
    int want = to - from >= LARGE_READ && ownfd_has_room() ? RUN_BLOCKS : 1;
    struct block_part part = {.from = (uint32_t)from,
                              .to = (uint32_t)to,
                              .at = (uint32_t)from,
                              .goes_on = r && r->first == index,
                              .advice = reader->advice};
    int n = object_fetch(o, index, want, &part, fds);
    if (n < 0)
        return n;
    run_free(r);
    reader->run = run_new(index, &part, fds, n);
    if (!reader->run)
        return -ENFILE;
    return covers(reader->run, index, from, to) ? 0 : -EIO;
}

/* A small file is often read once, by one read: that isn't worth a map. Without room to keep its
 * descriptor for a second one, it is. */
static bool is_first_look(const struct object *o, struct run *r)
{
    return o->n_blocks == 1 && r->uses++ == 0 && ownfd_has_room();
}

static ssize_t read_block(struct object *o, struct reader *reader, uint64_t index, void *buf,
                          size_t n, uint64_t offset)
{
    const char *at = atomic_load_explicit(&o->blocks[index], memory_order_acquire);
    if (at) {
        state_count(COUNTER_block_hits, 1);
        memcpy(buf, at + offset, n);
        return (ssize_t)n;
    }
    int r = run_to(o, reader, index, offset, offset + n);
    if (r < 0)
        return r;
    struct run *run = reader->run;
    int fd = run->fds[index - run->first];
    bool incomplete = index == run->first && !run->part.complete;
    if (n >= LARGE_READ || incomplete || is_first_look(o, run) || !(at = map_block(o, index, fd)))
        return read_fd(fd, buf, n, offset);
    memcpy(buf, at + offset, n);
    if (run->n == 1) {
        run_free(run); /* its only block is mapped now */
        reader->run = NULL;
    }
    return (ssize_t)n;
}

ssize_t object_read(struct object *o, struct reader *reader, void *buf, size_t n, uint64_t offset)
{
    size_t done = 0;
    while (done < n) {
        uint64_t index = (offset + done) >> o->block_shift;
        uint64_t inside = (offset + done) & (o->block_bytes - 1);
        size_t piece = object_block_len(o, index) - inside;
        if (piece > n - done)
            piece = n - done;
        ssize_t r = read_block(o, reader, index, (char *)buf + done, piece, inside);
        if (r < 0)
            return done ? (ssize_t)done : r;
        done += piece;
    }
    return (ssize_t)n;
}
