/* The store's writing side: a block comes in pieces, goes to a temporary file, and is published. */
#include "agent/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/alloc.h"
#include "agent/block_file.h"
#include "agent/store_evict.h"
#include "agent/store_internal.h"

struct store_writer {
    struct store *store;
    struct version version;
    uint64_t index;
    uint32_t len;
    int64_t accounted; /* bytes of disk */
    int fd;            /* -1: nobody asked for it yet */
    bool in_memory;    /* the disk is full or failed */
    char tmp_name[64];
};

static int open_memory(void)
{
    return memfd_create("warmpath block", MFD_CLOEXEC);
}

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

static void open_file(struct store_writer *w)
{
    static atomic_uint_fast64_t serial;
    struct store *s = w->store;
    if (w->fd >= 0)
        return;
    store_make_room(s);
    snprintf(w->tmp_name, sizeof(w->tmp_name), "tmp/%llu",
             (unsigned long long)atomic_fetch_add(&serial, 1));
    w->fd = openat(s->dir_fd, w->tmp_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (w->fd < 0) {
        store_complain(s, errno);
        w->in_memory = true;
        w->fd = open_memory();
    }
}

/* --- writing ------------------------------------------------------------------ */

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

static void account(struct store_writer *w, int64_t bytes)
{
    w->accounted += bytes;
    store_account(w->store, bytes);
}

/* The disk takes no more: what is there so far moves to memory, and the block goes on there. */
static int move_to_memory(struct store_writer *w)
{
    int memory = open_memory();
    if (memory < 0)
        return -errno;
    char piece[65536];
    for (off_t at = 0;;) {
        ssize_t n = pread(w->fd, piece, sizeof(piece), at);
        if (n == 0)
            break;
        if (n < 0 || write_all(memory, piece, (size_t)n, at) < 0) {
            close(memory);
            return -EIO;
        }
        at += n;
    }
    unlinkat(w->store->dir_fd, w->tmp_name, 0);
    close(w->fd);
    w->fd = memory;
    w->in_memory = true;
    account(w, -w->accounted);
    return 0;
}

static int write_somewhere(struct store_writer *w, const void *data, size_t len, off_t at)
{
    int r = write_all(w->fd, data, len, at);
    if (r < 0 && !w->in_memory) {
        store_complain(w->store, -r);
        r = move_to_memory(w);
        if (r == 0)
            r = write_all(w->fd, data, len, at);
    }
    return r;
}

int store_write(struct store_writer *w, uint32_t offset, const void *data, size_t len)
{
    if (offset > w->len || len > w->len - offset)
        return -EIO;
    open_file(w);
    int r = write_somewhere(w, data, len, offset);
    if (r == 0 && !w->in_memory)
        account(w, (int64_t)len);
    return r;
}

int store_reader(struct store_writer *w)
{
    char path[64];
    open_file(w);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", w->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool store_in_memory(const struct store_writer *w)
{
    return w->in_memory;
}

/* --- publishing --------------------------------------------------------------- */

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
static int publish(struct store_writer *w)
{
    struct store *s = w->store;
    char name[STORE_NAME_MAX];
    struct stat st, old;
    store_block_name(&w->version, w->index, name);
    bool replaces = fstatat(s->dir_fd, name, &old, 0) == 0;
    int r = move_into_place(s, w->tmp_name, name);
    if (r < 0)
        return r;
    store_tell_published(s, &w->version, w->index);
    if (fstat(w->fd, &st) == 0)
        account(w, (int64_t)st.st_blocks * 512 - w->accounted);
    if (replaces)
        store_account(s, -(int64_t)old.st_blocks * 512);
    return 0;
}

static void free_writer(struct store_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

int store_commit(struct store_writer *w, const uint64_t *hash, bool *published)
{
    uint8_t trailer[BLOCK_FILE_TRAILER_MAX];
    uint64_t computed;
    *published = false;
    if (!hash && !block_file_hash(w->fd, w->len, &computed)) {
        store_abort(w);
        return -EIO;
    }
    uint32_t len = block_file_trailer(&w->version, w->index, hash ? *hash : computed, trailer);
    int r = write_somewhere(w, trailer, len, (off_t)block_file_trailer_at(w->len));
    if (r == 0 && !w->in_memory) {
        r = publish(w);
        *published = r == 0;
        if (r < 0) {
            store_complain(w->store, -r);
            r = move_to_memory(w);
        }
    }
    if (r == 0)
        r = store_reader(w);
    if (r < 0 && !*published)
        unlinkat(w->store->dir_fd, w->tmp_name, 0);
    free_writer(w);
    return r;
}

void store_abort(struct store_writer *w)
{
    if (w->fd >= 0 && !w->in_memory)
        unlinkat(w->store->dir_fd, w->tmp_name, 0);
    account(w, -w->accounted);
    free_writer(w);
}
