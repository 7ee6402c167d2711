#include "preload/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/options.h"
#include "preload/client.h"
#include "preload/cwd.h"
#include "preload/dirstream.h"
#include "preload/fdtab.h"
#include "preload/keep.h"
#include "preload/lookup.h"
#include "preload/offset.h"
#include "preload/ownfd.h"
#include "preload/real.h"
#include "preload/slab.h"
#include "preload/statfill.h"

#define READ_MAX 0x7ffff000u /* bytes of one read, as the kernel has it */

static struct slab files = {.item_bytes = SLAB_ITEM_BYTES(struct file)};

const char *file_single_threaded;

void file_init(void)
{
    file_single_threaded = dlsym(RTLD_DEFAULT, "__libc_single_threaded");
}

struct file *file_new(void)
{
    struct file *f = slab_take(&files);
    if (!f)
        return NULL;
    f->kind = FILE_REGULAR;
    f->path_only = false;
    f->object = NULL;
    atomic_store(&f->run, NULL);
    atomic_store(&f->offset, 0);
    atomic_store(&f->leaving, false);
    f->changed = false;
    file_forget_advice(f);
    f->kept_fd = -1;
    f->fresh_until_ms = 0;
    atomic_store(&f->dir, NULL);
    atomic_store(&f->refs, 1);
    return f;
}

bool file_try_ref(struct file *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);
    if (file_one_thread()) {
        atomic_store_explicit(&f->refs, refs + (refs > 0), memory_order_relaxed);
        return refs > 0;
    }
    do
        if (refs == 0)
            return false;
    while (!atomic_compare_exchange_weak(&f->refs, &refs, refs + 1));
    return true;
}

void file_unref(struct file *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);
    if (file_one_thread())
        atomic_store_explicit(&f->refs, refs - 1, memory_order_relaxed);
    else
        refs = atomic_fetch_sub(&f->refs, 1);
    if (refs == 1 && !keep_put(f))
        file_free(f);
}

void file_lost_descriptors(struct file *f)
{
    f->kept_fd = -1;
    atomic_store(&f->run, NULL);
}

void file_free(struct file *f)
{
    if (f->kept_fd >= 0)
        ownfd_close(f->kept_fd);
    run_free(atomic_exchange(&f->run, NULL));
    dirstream_free(atomic_exchange(&f->dir, NULL));
    if (f->object)
        object_unref(f->object);
    slab_give(&files, f);
}

/* --- opening --------------------------------------------------------------------------- */

atomic_bool file_child_opened;

static int open_directory(struct file *f, const struct target *t, int flags)
{
    f->kind = FILE_DIRECTORY;
    f->target = *t;
    f->path_only = flags & O_PATH;
    int fd = cwd_open_standin(flags & O_CLOEXEC);
    if (fd >= 0 && state_in_vfork_child()) {
        file_unref(f);
        return fd;
    }
    if (fd >= 0 && !fdtab_set(fd, f)) {
        syscall(SYS_close, fd);
        fd = -EMFILE;
    }
    if (fd < 0)
        file_unref(f);
    return fd;
}

/* What OPEN was answered. */
struct answer {
    struct object_name name;
    struct block_part part; /* of the first block */
    uint32_t fresh_ms;      /* how long it may be taken for true */
    char etag[WIRE_ETAG_MAX];
};

/* The reply's placeholder becomes the job's descriptor. */
static int open_regular(struct file *f, const struct target *t, int flags, struct client_call *c,
                        const struct answer *a)
{
    int fd = c->fds[0];
    f->target = *t;
    f->path_only = flags & O_PATH;
    f->object = object_get(&a->name);
    f->fresh_until_ms = a->fresh_ms ? keep_now_ms() + a->fresh_ms : 0;
    if (c->n_fds > 1 && ownfd_has_room())
        atomic_store(&f->run, run_new(0, &a->part, &c->fds[1], 1));
    else if (c->n_fds > 1)
        syscall(SYS_close, c->fds[1]); /* many open files: the numbers are the job's */
    c->n_fds = 1;
    if (f->object && !(flags & O_CLOEXEC))
        REAL(fcntl)(fd, F_SETFD, 0);
    f->changed = flags & (O_NONBLOCK | O_APPEND);
    if (f->changed)
        REAL(fcntl)(fd, F_SETFL, flags & (O_NONBLOCK | O_APPEND));
    if (state_in_vfork_child()) {
        atomic_store(&file_child_opened, true);
        file_unref(f); /* the table is its parent's; what it executes finds the placeholder */
        return fd;
    }
    if (f->object && fdtab_set(fd, f))
        return fd;
    int error = f->object ? -EMFILE : -ENOMEM;
    file_unref(f);
    return error;
}

/* WIRE_FILE or WIRE_DIR, or -errno. */
static int read_reply(const struct target *t, int flags, struct client_call *c, struct answer *a)
{
    uint8_t kind = wire_get_u8(&c->in);
    a->name = (struct object_name){.mapping = t->mapping, .key = t->key, .etag = a->etag};
    a->name.size_bytes = wire_get_u64(&c->in);
    a->name.mtime_s = (int64_t)wire_get_u64(&c->in);
    wire_get_text(&c->in, a->etag, sizeof(a->etag));
    if (kind == WIRE_FILE) {
        a->name.block_bytes = wire_get_u32(&c->in);
        block_part_get(&c->in, &a->part);
        a->fresh_ms = wire_get_u32(&c->in);
    }
    if (kind == WIRE_FILE && !option_block_size_fits(a->name.block_bytes))
        return -EIO;
    if (c->in.bad || (kind == WIRE_FILE && c->n_fds < 1))
        return -EIO;
    if (kind == WIRE_FILE && (t->must_be_dir || (flags & O_DIRECTORY)))
        return -ENOTDIR;
    return kind;
}

static int open_reply(const struct target *t, int flags, struct client_call *c)
{
    struct answer a = {0};
    int kind = read_reply(t, flags, c, &a);
    if (kind < 0)
        return kind;
    struct file *f = file_new();
    if (!f)
        return -ENOMEM;
    return kind == WIRE_DIR ? open_directory(f, t, flags) : open_regular(f, t, flags, c, &a);
}

static int ask_open(const struct target *t, int flags, struct client_call *c)
{
    if (t->bare)
        return -EISDIR;
    client_begin(c, WIRE_OPEN);
    client_put_name(c, t->mapping, t->key, t->key_len);
    bool directory = t->must_be_dir || (flags & O_DIRECTORY);
    wire_put_u8(&c->out, (uint8_t)((directory ? WIRE_OPEN_DIRECTORY : 0) |
                                   (flags & O_PATH ? WIRE_OPEN_NO_BLOCK : 0)));
    int r = client_call(c, t->path, NULL, 0);
    if (r == 0)
        state_count(COUNTER_opens, 1);
    return r == -ENOENT ? lookup_missing(t) : r;
}

static void close_reply(struct client_call *c)
{
    while (c->n_fds > 0)
        syscall(SYS_close, c->fds[--c->n_fds]);
}

/* A descriptor for a file that was kept since its last close. -errno: it wasn't. */
static int open_kept(const struct target *t, int flags)
{
    if (flags & (O_PATH | O_DIRECTORY | O_NONBLOCK | O_APPEND))
        return -ENOENT;
    struct file *f = keep_take(t);
    if (!f)
        return -ENOENT;
    int fd = REAL(fcntl)(f->kept_fd, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    if (fd >= 0 && fdtab_set(fd, f)) {
        state_count(COUNTER_opens, 1);
        state_count(COUNTER_reopens, 1);
        return fd;
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
    file_unref(f);
    return -ENOENT;
}

int file_open(const struct target *t, int flags)
{
    int kept = open_kept(t, flags);
    if (kept >= 0)
        return kept;
    struct client_call c;
    if (t->bare) {
        struct file *f = file_new();
        return f ? open_directory(f, t, flags) : -ENOMEM;
    }
    int r = ask_open(t, flags, &c);
    if (r < 0)
        return r;
    int fd = open_reply(t, flags, &c);
    if (fd < 0)
        close_reply(&c);
    return fd;
}

struct file *file_open_unlisted(const struct target *t, int *error)
{
    struct client_call c;
    struct answer a = {0};
    *error = ask_open(t, O_RDONLY, &c);
    if (*error < 0)
        return NULL;
    int kind = read_reply(t, O_RDONLY, &c, &a);
    *error = kind < 0 ? kind : kind == WIRE_DIR ? -EISDIR : -ENOMEM;
    struct file *f = kind == WIRE_FILE ? file_unlisted(t, &a.name) : NULL;
    if (f && c.n_fds > 1)
        atomic_store(&f->run, run_new(0, &a.part, &c.fds[--c.n_fds], 1));
    close_reply(&c); /* the placeholder among them: nobody gets its number */
    return f;
}

struct file *file_unlisted(const struct target *t, const struct object_name *name)
{
    struct file *f = file_new();
    if (!f)
        return NULL;
    f->target = *t;
    f->object = object_get(name);
    if (f->object)
        return f;
    file_unref(f);
    return NULL;
}

struct file *file_unlisted_directory(const struct target *t)
{
    struct file *f = file_new();
    if (!f)
        return NULL;
    f->kind = FILE_DIRECTORY;
    f->target = *t;
    return f;
}

/* --- reading --------------------------------------------------------------------------- */

ssize_t file_pread(struct file *f, void *buf, size_t n, off_t offset)
{
    if (f->path_only)
        return -EBADF;
    if (f->kind == FILE_DIRECTORY)
        return -EISDIR;
    if (offset < 0)
        return -EINVAL;
    struct object *o = f->object;
    if ((uint64_t)offset >= o->size_bytes || n == 0)
        return 0;
    if (n > o->size_bytes - (uint64_t)offset)
        n = o->size_bytes - (uint64_t)offset;
    if (n > READ_MAX)
        n = READ_MAX;

    if (object_read_mapped(o, buf, n, (uint64_t)offset)) {
        state_count_hit(n);
        return (ssize_t)n;
    }
    struct reader reader = {.run = atomic_exchange(&f->run, NULL),
                            .advice = atomic_load_explicit(&f->advice, memory_order_relaxed)};
    ssize_t r = object_read(o, &reader, buf, n, (uint64_t)offset);
    /* Kept for the next read, unless that takes numbers that the job may want. */
    run_free(reader.run && ownfd_has_room() ? atomic_exchange(&f->run, reader.run) : reader.run);
    if (r > 0) {
        state_count(COUNTER_reads, 1);
        state_count(COUNTER_read_bytes, (uint64_t)r);
    }
    return r;
}

ssize_t file_read(struct file *f, int fd, void *buf, size_t n)
{
    off_t at = 0;
    if (f->kind != FILE_REGULAR || f->path_only)
        return file_pread(f, buf, n, 0);
    ssize_t claimed = offset_claim(f, fd, n > READ_MAX ? READ_MAX : n, &at);
    if (claimed <= 0)
        return claimed;
    ssize_t r = file_pread(f, buf, (size_t)claimed, at);
    offset_unclaim(f, fd, at, (size_t)claimed, r);
    return r;
}

void file_stat(const struct file *f, struct stat *st)
{
    if (f->kind == FILE_DIRECTORY)
        statfill(st, &f->target, WIRE_DIR, 0, 0);
    else
        statfill(st, &f->target, WIRE_FILE, f->object->size_bytes, f->object->mtime_s);
}
