#include "preload/lazy_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "preload/lazy.h"
#include "preload/memory.h"
#include "preload/real.h"
#include "preload/sigbus.h"
#include "preload/state.h"

static atomic_bool never_again;

void lazy_map_never_again(void)
{
    atomic_store(&never_again, true);
}

bool lazy_map_wanted(const struct span *s, int flags)
{
    return s->len > state.mmap_wait_bytes && !(flags & (MAP_POPULATE | MAP_LOCKED)) &&
           !atomic_load(&never_again);
}

/* Nothing can be read from an empty file, and nobody can make this one longer. */
static int map_absent(const struct span *s)
{
    int empty = (int)syscall(SYS_memfd_create, "warmpath absent", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (empty < 0)
        return -errno;
    long r = syscall(SYS_fcntl, empty, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    if (r != -1)
        r = syscall(SYS_mmap, s->at, page_up(s->len), s->protection, s->flags | MAP_FIXED, empty,
                    0);
    int error = errno;
    syscall(SYS_close, empty);
    return r == -1 ? -error : 0;
}

/* Asks which blocks are there, and maps them. 0 or -errno. */
static int place_held(struct lazy *l, const struct span *s, struct object *o)
{
    uint64_t index = span_first_block(s, o), end = index + span_blocks(s, o);
    int r = 0;
    while (r == 0 && index < end) {
        struct object_held held;
        r = object_ask_held(o, index, end, &held);
        for (int i = 0; r >= 0 && i < held.n; i++) {
            if (r == 0)
                r = lazy_place(l, held.index[i], held.fds[i]);
            syscall(SYS_close, held.fds[i]);
        }
        index = held.next;
    }
    return r;
}

static int place_absent(struct lazy *l, struct object *o, uint64_t index)
{
    while ((index = lazy_next_absent(l, index)) != UINT64_MAX) {
        int fds[WIRE_MAX_FDS];
        uint64_t after = index;
        while (after - index < WIRE_MAX_FDS && lazy_next_absent(l, after) == after)
            after++;
        struct block_part all = {.to = object_block_len(o, index),
                                 .maps = true,
                                 .advice = after - index > 1 ? OBJECT_SEQUENTIAL : OBJECT_NORMAL};
        int n = object_fetch(o, index, (int)(after - index), &all, fds);
        int r = n < 0 ? n : 0;
        for (int i = 0; i < n; i++) {
            if (r == 0)
                r = lazy_place(l, index + (uint64_t)i, fds[i]);
            syscall(SYS_close, fds[i]);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int lazy_map(const struct span *s, struct object *o)
{
    struct lazy *l = lazy_new(s, o);
    if (!l)
        return -ENOMEM;
    int r = map_absent(s);
    if (r == 0)
        r = place_held(l, s, o);
    uint64_t absent = lazy_absent_bytes(l);
    bool is_lazy = r == 0 && absent > state.mmap_wait_bytes && sigbus_install() && lazy_list(l);
    if (r == 0 && !is_lazy)
        r = place_absent(l, o, span_first_block(s, o));
    if (is_lazy)
        state_count(COUNTER_lazy_bytes, absent);
    if (r == 0)
        state_count(COUNTER_mapped_bytes, s->len);
    lazy_unref(l);
    return r;
}
