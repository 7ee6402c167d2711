#include "preload/fdtab.h"

#include "preload/memory.h"

_Atomic(struct fdtab_chunk *) fdtab_chunks[FDTAB_CHUNKS];
static atomic_bool in_use;

static _Atomic(struct file *) *slot(int fd, bool make)
{
    if ((unsigned)fd >= FDTAB_CHUNK * FDTAB_CHUNKS)
        return NULL;
    _Atomic(struct fdtab_chunk *) *place = &fdtab_chunks[(unsigned)fd / FDTAB_CHUNK];
    struct fdtab_chunk *chunk = atomic_load(place);
    if (!chunk && make) {
        struct fdtab_chunk *fresh = memory_map(sizeof(*fresh));
        if (!fresh)
            return NULL;
        if (atomic_compare_exchange_strong(place, &chunk, fresh))
            chunk = fresh;
        else
            memory_unmap(fresh, sizeof(*fresh));
    }
    return chunk ? &chunk->files[(unsigned)fd % FDTAB_CHUNK] : NULL;
}

struct file *fdtab_pin(int fd)
{
    struct file *f;
    while ((f = fdtab_peek(fd))) {
        if (!file_try_ref(f))
            continue; /* being closed: look again */
        if (fdtab_peek(fd) == f)
            return f;
        file_unref(f);
    }
    return NULL;
}

bool fdtab_set(int fd, struct file *f)
{
    _Atomic(struct file *) *place = slot(fd, true);
    if (!place)
        return false;
    atomic_store(&in_use, true);
    struct file *old = atomic_exchange(place, f);
    if (old)
        file_unref(old);
    return true;
}

void fdtab_drop(int fd)
{
    _Atomic(struct file *) *place = slot(fd, false);
    struct file *old = place && atomic_load(place) ? atomic_exchange(place, NULL) : NULL;
    if (old)
        file_unref(old);
}

void fdtab_copy(int from, int to)
{
    struct file *f = fdtab_get(from);
    if (!f)
        fdtab_drop(to);
    else if (!fdtab_set(to, f))
        file_unref(f);
}

bool fdtab_in_use(void)
{
    return atomic_load_explicit(&in_use, memory_order_relaxed);
}

void fdtab_each(void (*visit)(int fd, struct file *f))
{
    if (!fdtab_in_use())
        return;
    for (int c = 0; c < FDTAB_CHUNKS; c++) {
        struct fdtab_chunk *chunk = atomic_load(&fdtab_chunks[c]);
        for (int i = 0; chunk && i < FDTAB_CHUNK; i++) {
            if (!atomic_load_explicit(&chunk->files[i], memory_order_relaxed))
                continue;
            PINNED struct file *f = fdtab_get(c * FDTAB_CHUNK + i);
            if (f)
                visit(c * FDTAB_CHUNK + i, f);
        }
    }
}
