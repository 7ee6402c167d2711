/* The store's writing side: a block comes in pieces, goes to a temporary file, and is published.
 * Where the disk is full, fails or is stalled, it goes to memory; and so do a few pieces that
 * nothing more may come to, as the reader who waits for them has them sooner then. */
#include "agent/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/store/behind.h"
#include "agent/store/block_file.h"
#include "agent/store/evict.h"
#include "agent/store/internal.h"
#include "agent/store/jobs.h"
#include "agent/store/memory_file.h"
#include "common/alloc.h"
#include "common/clock.h"

#define RANGES_MAX 64 /* pieces of a block, see partial.h */

struct range {
    uint64_t from, to;
};

struct store_writer {
    struct store *store;
    struct version version;
    uint64_t index;
    uint32_t len;
    int64_t accounted; /* bytes of disk */
    bool expects_all;  /* its file is made with its room, which is accounted then */
    int64_t booked;    /* of memory */
    int fd; /* -1: nobody asked for it yet; -ENOBUFS: there is no more memory for blocks */
    bool in_memory;
    bool is_few;     /* in memory because it is no more than a few pieces */
    bool is_refused; /* that is because the disk takes nothing, and not because it is slow */
    struct range written[RANGES_MAX]; /* what the file holds, as it came */
    unsigned n_written;
    char tmp_name[STORE_TMP_NAME_MAX];
};

/* --- memory in place of the disk ------------------------------------------------------ */

static bool is_stall(int error)
{
    return error == -EBUSY || error == -ETIMEDOUT;
}

static void refused(struct store_writer *w, int error)
{
    store_refused(w->store, -error);
    w->is_refused |= !is_stall(error);
}

/* A disk that refuses writes can still be read; a stalled one is not asked. */
static bool copy_range(struct store_writer *w, int to, struct range range, int error)
{
    return memory_file_take_cached(to, w->fd, range.from, range.to) ||
           (!is_stall(error) && store_job_copy(w->store, w->fd, to, range.from, range.to) == 0);
}

/* That the file is made with. */
static size_t file_room(const struct store_writer *w)
{
    return w->expects_all ? block_file_trailer_at(w->len) + BLOCK_FILE_TRAILER_MAX : 0;
}

static void account(struct store_writer *w, int64_t bytes)
{
    w->accounted += bytes;
    store_account(w->store, bytes);
}

static int write_memory(struct store_writer *w, uint32_t offset, const void *data, size_t len)
{
    int r = block_file_write(w->fd, data, len, offset);
    if (r == 0) {
        w->booked += (int64_t)len;
        store_memory_book(w->store->memory, (int64_t)len);
    }
    return r;
}

/* What is there so far moves to memory, and the block goes on there. `error` is why: after one that
 * says so, and where the disk is only slow (-EBUSY), it isn't asked. On failure nothing changed. */
static int move_to_memory(struct store_writer *w, int error)
{
    int memory = memory_file_new();
    if (memory < 0)
        return memory;
    int64_t bytes = 0;
    for (unsigned i = 0; i < w->n_written; i++) {
        if (!copy_range(w, memory, w->written[i], error)) {
            close(memory);
            return -EIO;
        }
        bytes += (int64_t)(w->written[i].to - w->written[i].from);
    }
    store_job_remove(w->store, w->fd, -1, w->tmp_name);
    w->fd = memory;
    w->in_memory = true;
    w->booked = bytes;
    store_memory_book(w->store->memory, w->booked);
    account(w, -w->accounted);
    return 0;
}

/* --- a few pieces in memory ------------------------------------------------------------- */

static bool are_few(const struct store_writer *w, size_t more)
{
    return !w->expects_all && w->booked + (int64_t)more <= STORE_FEW_BYTES &&
           w->n_written < RANGES_MAX &&
           store_memory_bytes(w->store->memory) + more <= STORE_FEW_MOST_BYTES;
}

/* More comes. On failure it stays where it is, as what a disk that fails does not take. */
static int move_to_disk(struct store_writer *w)
{
    struct store *s = w->store;
    size_t room = file_room(w);
    int fd = store_job_create(s, w->tmp_name, room), r = fd < 0 ? fd : 0;
    for (unsigned i = 0; r == 0 && i < w->n_written; i++)
        r = store_job_copy(s, w->fd, fd, w->written[i].from, w->written[i].to);
    if (r < 0) {
        if (fd >= 0)
            store_job_remove(s, fd, -1, w->tmp_name);
        return r;
    }
    account(w, room > 0 ? (int64_t)room : w->booked);
    store_memory_book(s->memory, -w->booked);
    w->booked = 0;
    close(w->fd);
    w->fd = fd;
    w->in_memory = false;
    return 0;
}

static void leave_memory(struct store_writer *w)
{
    w->is_few = false;
    if (store_is_behind(w->store)) {
        w->is_refused = store_was_full_lately(w->store);
        return;
    }
    if (!store_may_try(w->store)) {
        w->is_refused = true;
        return;
    }
    int r = move_to_disk(w);
    if (r < 0)
        refused(w, r);
}

/* --- writing ------------------------------------------------------------------ */

struct store_writer *store_begin(struct store *s, const struct version *v, uint64_t index)
{
    struct store_writer *w = must_calloc(1, sizeof(*w));
    w->store = s;
    w->version = *v;
    w->index = index;
    w->len = version_block_len(v, index);
    w->fd = -1;
    return w;
}

void store_tmp_name(char out[STORE_TMP_NAME_MAX])
{
    static atomic_uint_fast64_t serial;
    snprintf(out, STORE_TMP_NAME_MAX, "tmp/%llu", (unsigned long long)atomic_fetch_add(&serial, 1));
}

void store_expect_all(struct store_writer *w)
{
    w->expects_all |= w->fd == -1 || w->is_few;
    if (w->is_few)
        leave_memory(w);
}

/* Makes the file, if that was not done yet, for so many bytes at first. 0 or -errno. */
static int open_file(struct store_writer *w, size_t len)
{
    struct store *s = w->store;
    size_t room = file_room(w);
    if (w->fd != -1)
        return w->fd >= 0 ? 0 : w->fd;
    store_tmp_name(w->tmp_name);
    if (store_is_behind(s)) { /* to memory, and from there to the disk */
        w->is_refused = store_was_full_lately(s);
    } else if (len < w->len && are_few(w, len)) {
        w->is_few = true;
    } else if (!store_may_try(s)) {
        w->is_refused = true;
    } else {
        w->fd = store_job_create(s, w->tmp_name, room);
        if (w->fd >= 0)
            account(w, (int64_t)room);
        else
            refused(w, w->fd);
    }
    if (w->fd < 0) {
        w->in_memory = true;
        w->fd = memory_file_new();
    }
    return w->fd >= 0 ? 0 : w->fd;
}

static int note_written(struct store_writer *w, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < w->n_written; i++)
        if (w->written[i].to == from) {
            w->written[i].to = to;
            return 0;
        }
    if (w->n_written == RANGES_MAX)
        return -EIO;
    w->written[w->n_written++] = (struct range){from, to};
    return 0;
}

int store_write(struct store_writer *w, uint32_t offset, const void *data, size_t len)
{
    if (offset > w->len || len > w->len - offset)
        return -EIO;
    int r = open_file(w, len);
    if (r == 0 && w->is_few && !are_few(w, len))
        leave_memory(w);
    if (r == 0 && !w->in_memory && store_is_behind(w->store))
        move_to_memory(w, -EBUSY);
    if (r == 0 && !w->in_memory) {
        r = store_job_write(w->store, w->fd, w->tmp_name, data, len, offset);
        if (r == 0) {
            account(w, w->expects_all ? 0 : (int64_t)len);
            return note_written(w, offset, offset + len);
        }
        refused(w, r);
        r = move_to_memory(w, r);
    }
    if (r == 0)
        r = write_memory(w, offset, data, len);
    return r == 0 && w->is_few ? note_written(w, offset, offset + len) : r;
}

int store_reader(struct store_writer *w)
{
    int r = open_file(w, 0);
    return r < 0 ? r : memory_file_reader(w->fd);
}

bool store_in_memory(const struct store_writer *w)
{
    return w->in_memory;
}

/* --- publishing --------------------------------------------------------------- */

static void keep_in_memory(struct store_writer *w, int reader)
{
    struct store_memory *m = w->store->memory;
    store_memory_book(m, (int64_t)w->len - w->booked); /* a piece may have come twice */
    store_memory_keep(m, &w->version, w->index, reader, w->len, clock_monotonic_ms());
    store_behind_go_on(w->store);
}

static void free_writer(struct store_writer *w)
{
    store_memory_book(w->store->memory, -w->booked);
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

/* 0 with *published, or with the block complete elsewhere. */
static int publish(struct store_writer *w, uint64_t hash, bool *published)
{
    struct store_publish p = {.version = w->version, .index = w->index, .accounted = w->accounted};
    p.trailer_len = block_file_trailer(&w->version, w->index, hash, p.trailer);
    if (w->in_memory)
        return block_file_write(w->fd, p.trailer, p.trailer_len, block_file_trailer_at(w->len));
    memcpy(p.tmp_name, w->tmp_name, sizeof(p.tmp_name));
    int r = store_job_publish(w->store, w->fd, &p);
    *published = r == 0;
    /* Stalled: it will be published; the file, as far as a reader needs it, is there. */
    if (r == 0 || is_stall(r))
        return 0;
    refused(w, r);
    r = move_to_memory(w, r);
    return r == 0 ? block_file_write(w->fd, p.trailer, p.trailer_len, block_file_trailer_at(w->len))
                  : r;
}

int store_commit(struct store_writer *w, const uint64_t *hash, bool *published)
{
    uint64_t computed;
    *published = false;
    if (w->fd < 0 || (!hash && !block_file_hash(w->fd, w->len, &computed))) {
        store_abort(w, -1);
        return -EIO;
    }
    if (w->is_few)
        leave_memory(w);
    int r = publish(w, hash ? *hash : computed, published);
    if (r < 0) {
        store_abort(w, -1);
        return r;
    }
    if (w->is_refused) /* else it is published once the disk has caught up */
        store_tell_kept(w->store, &w->version, w->index);
    r = store_reader(w);
    if (w->in_memory && r >= 0) {
        keep_in_memory(w, r);
        w->booked = 0;
    }
    free_writer(w);
    return r;
}

void store_abort(struct store_writer *w, int reader)
{
    account(w, -w->accounted);
    if (w->in_memory || w->fd < 0) { /* no file of the disk's */
        if (reader >= 0)
            close(reader);
        free_writer(w);
        return;
    }
    store_job_remove(w->store, w->fd, reader, w->tmp_name);
    free(w);
}
