#include "preload/range.h"

#include <stdint.h>

#define REMEMBERED 1024

struct range {
    _Atomic uintptr_t start; /* 0: none */
    _Atomic uintptr_t end;
    _Atomic uintptr_t limit; /* as far as it may grow */
};

atomic_bool range_any;
static struct range ranges[REMEMBERED];
static _Atomic unsigned next;

void range_add(void *start, size_t len, size_t room)
{
    struct range *r = &ranges[atomic_fetch_add(&next, 1) % REMEMBERED];
    atomic_store(&r->start, 0);
    atomic_store(&r->end, (uintptr_t)start + len);
    atomic_store(&r->limit, (uintptr_t)start + room);
    atomic_store(&r->start, (uintptr_t)start);
    atomic_store(&range_any, true);
}

void range_forget(void *start, size_t len)
{
    uintptr_t from = (uintptr_t)start, to = from + len;
    for (int i = 0; i < REMEMBERED; i++) {
        struct range *r = &ranges[i];
        uintptr_t begin = atomic_load_explicit(&r->start, memory_order_relaxed);
        uintptr_t end = atomic_load_explicit(&r->end, memory_order_relaxed);
        if (!begin || to <= begin || from >= end)
            continue;
        if (from <= begin)
            atomic_store(&r->start, to < end ? to : 0);
        else
            atomic_store(&r->end, from);
    }
}

void range_move(void *from, size_t len, void *to, size_t new_len)
{
    uintptr_t at = (uintptr_t)from;
    for (int i = 0; i < REMEMBERED; i++) {
        uintptr_t begin = atomic_load(&ranges[i].start);
        if (!begin || at < begin || at >= atomic_load(&ranges[i].end))
            continue;
        uintptr_t limit = atomic_load(&ranges[i].limit);
        range_forget(from, len);
        range_add(to, new_len, limit > at ? limit - at : 0);
        return;
    }
}

bool range_may_grow(const void *start, size_t len)
{
    uintptr_t at = (uintptr_t)start;
    for (int i = 0; i < REMEMBERED; i++) {
        uintptr_t begin = atomic_load(&ranges[i].start);
        if (begin && at >= begin && at < atomic_load(&ranges[i].end))
            return at + len <= atomic_load(&ranges[i].limit);
    }
    return true;
}
