#include "preload/keep.h"

#include <string.h>
#include <time.h>

#include "common/hash.h"
#include "preload/fdtab.h"
#include "preload/offset.h"
#include "preload/ownfd.h"

#define SLOTS 256 /* a power of two; a descriptor each */

static _Atomic(struct file *) slots[SLOTS];

/* Coarse: a few milliseconds don't count here, and it costs a few nanoseconds. */
int64_t keep_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Atomic(struct file *) *slot_of(const struct target *t)
{
    return &slots[hash_bytes(t->path, t->path_len, 0) & (SLOTS - 1)];
}

static bool is_worth_keeping(const struct file *f)
{
    return f->kind == FILE_REGULAR && !f->path_only && !f->changed && !f->target.must_be_dir &&
           !offset_is_shared(f) && f->object && f->object->n_blocks <= 1 &&
           f->fresh_until_ms > keep_now_ms();
}

void keep_before_close(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    if (f && f->kept_fd < 0 && atomic_load(&f->refs) == 2 && is_worth_keeping(f) &&
        ownfd_has_room())
        f->kept_fd = ownfd_dup(fd);
}

/* A block that the agent has in memory takes none here, too, while nobody reads it. */
static void drop_copied(struct file *f)
{
    struct run *r = atomic_load(&f->run);
    if (r && !r->part.complete)
        run_free(atomic_exchange(&f->run, NULL));
}

bool keep_put(struct file *f)
{
    if (f->kept_fd < 0 || !is_worth_keeping(f))
        return false;
    drop_copied(f);
    atomic_store(&f->offset, 0);
    file_forget_advice(f);
    struct file *old = atomic_exchange(slot_of(&f->target), f);
    if (old)
        file_free(old);
    return true;
}

static bool is_of(const struct file *f, const struct target *t)
{
    return f->target.mapping == t->mapping && f->target.path_len == t->path_len &&
           memcmp(f->target.path, t->path, t->path_len) == 0;
}

struct file *keep_take(const struct target *t)
{
    _Atomic(struct file *) *slot = slot_of(t);
    if (!atomic_load_explicit(slot, memory_order_relaxed) || t->must_be_dir ||
        state_in_vfork_child())
        return NULL;
    struct file *f = atomic_exchange(slot, NULL), *none = NULL;
    if (!f)
        return NULL;
    if (is_of(f, t) && is_worth_keeping(f)) {
        atomic_store(&f->refs, 1);
        return f;
    }
    if (is_of(f, t) || !atomic_compare_exchange_strong(slot, &none, f))
        file_free(f);
    return NULL;
}

void keep_forget(bool closed)
{
    for (int i = 0; i < SLOTS; i++) {
        struct file *f = atomic_load_explicit(&slots[i], memory_order_relaxed)
                             ? atomic_exchange(&slots[i], NULL)
                             : NULL;
        if (!f)
            continue;
        if (closed)
            file_lost_descriptors(f);
        file_free(f);
    }
}
