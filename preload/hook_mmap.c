/* mmap of a mapped file: its blocks' files, one behind the other.
 *
 * Every block of the range is there before the job gets the address, so that no page is ever
 * missing. The mapping holds the block files: it outlives close, and eviction. */
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/hook.h"
#include "preload/memory.h"
#include "preload/range.h"

#define PAGE          4096u
#define FETCH_AT_ONCE WIRE_MAX_FDS

struct span {
    char *at;        /* where the range begins in memory */
    uint64_t offset; /* of the range in the object */
    size_t len;      /* bytes; ends at the last page that holds data */
    int protection, flags;
};

/* Puts one block's part of the range into its place. */
static int place_block(const struct span *s, const struct object *o, uint64_t index, int fd)
{
    uint64_t start = index << o->block_shift;
    uint64_t from = start > s->offset ? start : s->offset;
    uint64_t stop = start + object_block_len(o, index);
    if (stop > s->offset + s->len)
        stop = s->offset + s->len;
    size_t len = (size_t)(stop - from + PAGE - 1) & ~(size_t)(PAGE - 1);
    long at = syscall(SYS_mmap, s->at + (from - s->offset), len, s->protection,
                      s->flags | MAP_FIXED, fd, from - start);
    return at == -1 ? -errno : 0;
}

static int place_blocks(const struct span *s, struct object *o)
{
    uint64_t index = s->offset >> o->block_shift;
    uint64_t last = (s->offset + s->len - 1) >> o->block_shift;
    while (index <= last) {
        int fds[FETCH_AT_ONCE];
        uint64_t left = last - index + 1;
        struct block_part all = {.to = object_block_len(o, index)};
        int n = object_fetch(o, index, left < FETCH_AT_ONCE ? (int)left : FETCH_AT_ONCE, &all, fds);
        if (n < 0)
            return n;
        int r = 0;
        for (int i = 0; i < n; i++) {
            if (r == 0)
                r = place_block(s, o, index + (uint64_t)i, fds[i]);
            syscall(SYS_close, fds[i]);
        }
        if (r < 0)
            return r;
        index += (uint64_t)n;
    }
    state_count(COUNTER_mapped_bytes, s->len);
    return 0;
}

/* Address space for the whole length; the blocks are put over it. */
static void *reserve(void *at, size_t len, int flags)
{
    long r = syscall(SYS_mmap, at, len, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                         (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT)),
                     -1, 0);
    return r == -1 ? NULL : (void *)r;
}

/* Behind the object's last page lies an empty file: touching it is SIGBUS, as behind any file's
 * end. */
static int place_tail(char *start, size_t len, const struct span *s)
{
    size_t data = (s->len + PAGE - 1) & ~(size_t)(PAGE - 1);
    size_t all = (len + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (data >= all)
        return 0;
    int empty = memfd_create("warmpath end", MFD_CLOEXEC);
    if (empty < 0)
        return -errno;
    long r = syscall(SYS_mmap, start + data, all - data, s->protection, MAP_PRIVATE | MAP_FIXED,
                     empty, 0);
    int error = errno;
    syscall(SYS_close, empty);
    return r == -1 ? -error : 0;
}

static int check(const struct file *f, size_t len, int protection, int flags, off_t offset)
{
    int type = flags & MAP_TYPE;
    if (f->kind != FILE_REGULAR)
        return -ENODEV;
    if (f->path_only)
        return -EBADF;
    if (len == 0 || offset < 0 || offset % PAGE)
        return -EINVAL;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    return type != MAP_PRIVATE && (protection & PROT_WRITE) ? -EACCES : 0;
}

/* It may grow inside its first block: behind that, other files would have to be put. */
static void remember(const struct span *s, const struct object *o, size_t len)
{
    uint64_t index = s->offset >> o->block_shift;
    uint64_t data = s->len ? object_block_len(o, index) - (s->offset & (o->block_bytes - 1)) : 0;
    size_t whole = (len + PAGE - 1) & ~(size_t)(PAGE - 1);
    range_add(s->at, whole, (data + PAGE - 1) & ~(uint64_t)(PAGE - 1));
}

static void *map_file(struct file *f, void *at, size_t len, int protection, int flags, off_t offset)
{
    struct object *o = f->object;
    int r = check(f, len, protection, flags, offset);
    if (r < 0)
        goto fail;
    char *start = reserve(at, len, flags);
    if (!start)
        return MAP_FAILED;
    uint64_t rest = (uint64_t)offset < o->size_bytes ? o->size_bytes - (uint64_t)offset : 0;
    struct span s = {.at = start,
                     .offset = (uint64_t)offset,
                     .len = rest < len ? (size_t)rest : len,
                     .protection = protection,
                     .flags = flags & ~(MAP_FIXED_NOREPLACE | MAP_POPULATE | MAP_32BIT)};
    if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
        s.flags = (s.flags & ~MAP_TYPE) | MAP_SHARED;
    r = s.len ? place_blocks(&s, o) : 0;
    if (r == 0)
        r = place_tail(start, len, &s);
    if (r == 0) {
        remember(&s, o, len);
        return start;
    }
    memory_unmap(start, len);
fail:
    errno = -r;
    return MAP_FAILED;
}

EXPORT void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_FIXED) && atomic_load_explicit(&range_any, memory_order_relaxed))
        range_forget(at, len);
    if ((flags & MAP_ANONYMOUS) || !fdtab_has(fd)) {
        if (!real.mmap) /* inside another library's first malloc */
            return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
        return real.mmap(at, len, protection, flags, fd, offset);
    }
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(mmap)(at, len, protection, flags, fd, offset);
    return map_file(f, at, len, protection, flags, offset);
}

EXPORT int munmap(void *at, size_t len)
{
    if (atomic_load_explicit(&range_any, memory_order_relaxed))
        range_forget(at, len);
    return real.munmap ? real.munmap(at, len) : (int)syscall(SYS_munmap, at, len);
}

/* Where a range can't grow the kernel says ENOMEM, and the caller maps anew. */
EXPORT void *mremap(void *at, size_t len, size_t new_len, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    void *to = va_arg(args, void *);
    va_end(args);
    bool any = atomic_load_explicit(&range_any, memory_order_relaxed);
    if (any && new_len > len && !range_may_grow(at, new_len)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (any && (flags & MREMAP_FIXED))
        range_forget(to, new_len);
    long r = syscall(SYS_mremap, at, len, new_len, flags, to);
    if (any && r != -1)
        range_move(at, len, (void *)r, new_len);
    return r == -1 ? MAP_FAILED : (void *)r;
}
