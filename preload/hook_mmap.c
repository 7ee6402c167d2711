/* mmap of a mapped file: its blocks' files, one behind the other.
 *
 * Every block of the range is there before the job gets the address, so that no page is ever
 * missing; or, where much is absent, comes when it is touched (lazy.h). The mapping holds the block
 * files: it outlives close, and eviction. */
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/hook.h"
#include "preload/lazy.h"
#include "preload/lazy_map.h"
#include "preload/memory.h"
#include "preload/range.h"

#define FETCH_AT_ONCE WIRE_MAX_FDS

/* All of them, fetched where they have to be. */
static int place_blocks(const struct span *s, struct object *o, int flags)
{
    uint64_t index = span_first_block(s, o), last = index + span_blocks(s, o) - 1;
    if ((flags & MAP_POPULATE) && index < last)
        object_want(o, s->offset, s->offset + s->len, true);
    while (index <= last) {
        int fds[FETCH_AT_ONCE];
        uint64_t left = last - index + 1;
        struct block_part all = {.to = object_block_len(o, index),
                                 .maps = true,
                                 .advice = index < last ? OBJECT_SEQUENTIAL : OBJECT_NORMAL};
        int n = object_fetch(o, index, left < FETCH_AT_ONCE ? (int)left : FETCH_AT_ONCE, &all, fds);
        if (n < 0)
            return n;
        int r = 0;
        for (int i = 0; i < n; i++) {
            if (r == 0)
                r = span_place_whole(s, o, index + (uint64_t)i, fds[i]);
            syscall(SYS_close, fds[i]);
        }
        if (r < 0)
            return r;
        index += (uint64_t)n;
    }
    state_count(COUNTER_mapped_bytes, s->len);
    return 0;
}

#ifndef MAP_32BIT
#define MAP_32BIT 0 /* x86 alone has it */
#endif

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
    size_t data = page_up(s->len), all = page_up(len);
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

/* This memory becomes something else. */
static int forget(void *at, size_t len)
{
    if (atomic_load_explicit(&range_any, memory_order_relaxed))
        range_forget(at, len);
    return lazy_any() ? lazy_forget(at, len) : 0;
}

/* It may grow inside its first block: behind that, other files would have to be put. */
static void remember(const struct span *s, const struct object *o, size_t len)
{
    uint64_t index = s->offset >> o->block_shift;
    uint64_t data = s->len ? object_block_len(o, index) - (s->offset & (o->block_bytes - 1)) : 0;
    range_add(s->at, page_up(len), page_up(data));
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
    if (lazy_map_wanted(&s, flags))
        r = lazy_map(&s, o);
    else if (s.len)
        r = place_blocks(&s, o, flags);
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
    int r = flags & MAP_FIXED ? forget(at, len) : 0;
    if (r < 0)
        return (void *)hook_result(r);
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
    int r = forget(at, len);
    if (r < 0)
        return (int)hook_result(r);
    return real.munmap ? real.munmap(at, len) : (int)syscall(SYS_munmap, at, len);
}

/* What moves or grows is brought first, what is cut off forgotten. 0 or -errno. */
static int before_remap(char *at, size_t len, char *to, size_t new_len, int flags)
{
    int r = 0;
    if (flags & MREMAP_FIXED)
        r = forget(to, new_len);
    if (r == 0 && lazy_any() && new_len < len)
        r = lazy_forget(at + page_up(new_len), page_up(len) - page_up(new_len));
    if (r == 0 && lazy_any() && (new_len > len || (flags & MREMAP_FIXED)))
        r = lazy_fill(at, new_len);
    return r;
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
    int refused = before_remap(at, len, to, new_len, flags);
    if (refused < 0)
        return (void *)hook_result(refused);
    long r = syscall(SYS_mremap, at, len, new_len, flags, to);
    if (any && r != -1)
        range_move(at, len, (void *)r, new_len);
    return r == -1 ? MAP_FAILED : (void *)r;
}
