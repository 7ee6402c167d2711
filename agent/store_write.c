/* The store's writing side: a block comes in pieces, goes to a temporary file, and is published. */
#include "agent/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "agent/alloc.h"
#include "agent/block_file.h"
#include "agent/store_evict.h"
#include "agent/store_internal.h"

struct store_writer {
    struct store *store;
    struct version version;
    uint64_t index;
    uint32_t len, written; /* on disk */
    struct store_buffer *buffer;
    uint32_t buffered;
    int fd;
    bool in_memory; /* the disk is full or failed */
    char tmp_name[64];
    XXH3_state_t *hash;
};

/* --- buffers ------------------------------------------------------------------ */

static struct store_buffer *take_buffer(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct store_buffer *b = s->buffers;
    if (b) {
        s->buffers = b->next;
        s->n_buffers--;
    }
    pthread_mutex_unlock(&s->lock);
    if (!b) {
        b = must_calloc(1, sizeof(*b));
        b->data = must(aligned_alloc(4096, STORE_BUFFER_BYTES));
    }
    return b;
}

static void free_buffer(struct store_buffer *b)
{
    free(b->data);
    free(b);
}

static void give_buffer(struct store *s, struct store_buffer *b)
{
    pthread_mutex_lock(&s->lock);
    bool keep = s->n_buffers < STORE_BUFFERS_KEPT;
    if (keep) {
        b->next = s->buffers;
        s->buffers = b;
        s->n_buffers++;
    }
    pthread_mutex_unlock(&s->lock);
    if (!keep)
        free_buffer(b);
}

void store_free_buffers(struct store *s)
{
    while (s->buffers) {
        struct store_buffer *next = s->buffers->next;
        free_buffer(s->buffers);
        s->buffers = next;
    }
}

/* --- writing ------------------------------------------------------------------ */

static int open_memory(void)
{
    return memfd_create("warmpath block", MFD_CLOEXEC);
}

struct store_writer *store_begin(struct store *s, const struct version *v, uint64_t index)
{
    static atomic_uint_fast64_t serial;
    struct store_writer *w = must_calloc(1, sizeof(*w));
    w->store = s;
    w->version = *v;
    w->index = index;
    w->len = version_block_len(v, index);
    w->hash = must(XXH3_createState());
    XXH3_64bits_reset(w->hash);
    store_make_room(s);
    snprintf(w->tmp_name, sizeof(w->tmp_name), "tmp/%llu",
             (unsigned long long)atomic_fetch_add(&serial, 1));
    w->fd = openat(s->dir_fd, w->tmp_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (w->fd < 0) {
        store_complain(s, errno);
        w->in_memory = true;
        w->fd = open_memory();
    }
    return w;
}

static int write_all(int fd, const void *data, size_t len, off_t at)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

/* The disk takes no more: what is there so far moves to memory, and the block goes on there. */
static int move_to_memory(struct store_writer *w)
{
    int memory = open_memory();
    if (memory < 0)
        return -errno;
    char piece[65536];
    for (uint32_t at = 0; at < w->written;) {
        uint32_t rest = w->written - at;
        ssize_t n = pread(w->fd, piece, rest < sizeof(piece) ? rest : sizeof(piece), at);
        if (n <= 0 || write_all(memory, piece, (size_t)n, at) < 0) {
            close(memory);
            return -EIO;
        }
        at += (uint32_t)n;
    }
    unlinkat(w->store->dir_fd, w->tmp_name, 0);
    close(w->fd);
    w->fd = memory;
    w->in_memory = true;
    return 0;
}

/* Writes what is buffered. 0 or -errno. */
static int flush(struct store_writer *w)
{
    const char *data = w->buffer ? w->buffer->data : NULL;
    if (w->buffered == 0)
        return 0;
    int r = write_all(w->fd, data, w->buffered, w->written);
    if (r < 0 && !w->in_memory) {
        store_complain(w->store, -r);
        r = move_to_memory(w);
        if (r == 0)
            r = write_all(w->fd, data, w->buffered, w->written);
    }
    if (r < 0)
        return r;
    w->written += w->buffered;
    w->buffered = 0;
    return 0;
}

int store_write(struct store_writer *w, const void *data, size_t len)
{
    const char *p = data;
    if (len > w->len - w->written - w->buffered)
        return -EIO;
    if (!w->buffer)
        w->buffer = take_buffer(w->store);
    while (len > 0) {
        size_t piece = STORE_BUFFER_BYTES - w->buffered;
        if (piece > len)
            piece = len;
        memcpy(w->buffer->data + w->buffered, p, piece);
        XXH3_64bits_update(w->hash, p, piece); /* while the processor's cache has it */
        w->buffered += (uint32_t)piece;
        p += piece;
        len -= piece;
        if (w->buffered == STORE_BUFFER_BYTES) {
            int r = flush(w);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static void free_writer(struct store_writer *w)
{
    XXH3_freeState(w->hash);
    if (w->buffer)
        give_buffer(w->store, w->buffer);
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

/* The first block of a shard makes its directory: most stores never need all of them. */
static int move_into_place(struct store *s, const char *tmp_name, char name[STORE_NAME_MAX])
{
    if (renameat(s->dir_fd, tmp_name, s->dir_fd, name) == 0)
        return 0;
    if (errno != ENOENT)
        return -errno;
    char *slash = strrchr(name, '/');
    *slash = '\0';
    int made = mkdirat(s->dir_fd, name, 0700) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made || renameat(s->dir_fd, tmp_name, s->dir_fd, name) < 0)
        return -errno;
    return 0;
}

/* Publish by rename: a reader must never see half a block. */
static int publish(struct store_writer *w)
{
    struct store *s = w->store;
    char name[STORE_NAME_MAX];
    store_block_name(&w->version, w->index, name);
    int fd = openat(s->dir_fd, w->tmp_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st, old;
    bool replaces = fstatat(s->dir_fd, name, &old, 0) == 0;
    int r = move_into_place(s, w->tmp_name, name);
    if (r < 0) {
        close(fd);
        return r;
    }
    if (fstat(fd, &st) == 0)
        store_account(s, ((int64_t)st.st_blocks - (replaces ? (int64_t)old.st_blocks : 0)) * 512);
    return fd;
}

static int memory_descriptor(struct store_writer *w)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", w->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int store_commit(struct store_writer *w, bool *published)
{
    uint8_t trailer[BLOCK_FILE_TRAILER_MAX];
    *published = false;
    int r = flush(w);
    if (r < 0 || w->written != w->len) {
        store_abort(w);
        return r < 0 ? r : -EIO;
    }
    uint32_t len = block_file_trailer(&w->version, w->index, XXH3_64bits_digest(w->hash), trailer);
    off_t at = (off_t)block_file_trailer_at(w->len);
    r = write_all(w->fd, trailer, len, at);
    if (r < 0 && !w->in_memory) {
        store_complain(w->store, -r);
        r = move_to_memory(w);
        if (r == 0)
            r = write_all(w->fd, trailer, len, at);
    }
    if (r == 0 && !w->in_memory) {
        r = publish(w);
        *published = r >= 0;
        if (r < 0) {
            store_complain(w->store, -r);
            r = move_to_memory(w);
        }
    }
    if (r == 0)
        r = memory_descriptor(w);
    if (r < 0)
        unlinkat(w->store->dir_fd, w->tmp_name, 0);
    free_writer(w);
    return r;
}

void store_abort(struct store_writer *w)
{
    if (!w->in_memory)
        unlinkat(w->store->dir_fd, w->tmp_name, 0);
    free_writer(w);
}
