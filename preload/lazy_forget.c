/* Memory of a lazy range that becomes something else: what lies in the hole leaves the range, and
 * touches of it bring nothing any more. */
#include <errno.h>
#include <string.h>

#include "preload/lazy_range.h"
#include "preload/memory.h"

/* A range is cut at both ends of the hole. */
struct hole {
    uintptr_t from, to;
    struct lazy *twin; /* room for what lies behind a hole in the middle */
    size_t twin_bytes; /* how large that has to be */
    struct lazy *gone; /* ranges without anything absent */
};

static void retire(struct hole *h, struct lazy *l)
{
    if (!lazy_drop_if_done(l))
        return;
    l->next_gone = h->gone;
    h->gone = l;
}

/* What lies behind the hole becomes a range of its own. 1; 0: there is no room for it yet. */
static int split(struct hole *h, struct lazy *l)
{
    struct lazy *twin = h->twin;
    if (!twin || h->twin_bytes != l->bytes) {
        h->twin_bytes = l->bytes;
        return 0;
    }
    memcpy((void *)twin, (const void *)l, l->bytes);
    atomic_store(&twin->refs, 0);
    atomic_store(&twin->from, h->to);
    if (!lazy_add(twin))
        return -ENOMEM;
    h->twin = NULL;
    object_ref(l->object);
    atomic_store(&l->to, h->from);
    retire(h, twin);
    return 1;
}

/* 1: cut; else as split(). */
static int cut(struct hole *h, struct lazy *l)
{
    int r = 1;
    if (h->from > l->from && h->to < l->to)
        r = split(h, l);
    else if (h->from > l->from)
        atomic_store(&l->to, h->from);
    else
        atomic_store(&l->from, h->to < l->to ? h->to : l->to);
    if (r == 1)
        retire(h, l);
    return r;
}

static int cut_all(struct hole *h)
{
    int r = 1;
    struct quiet q = lazy_lock();
    unsigned i = 0;
    for (struct lazy *l; r == 1 && (l = lazy_next_in(&i, h->from, h->to));)
        r = cut(h, l);
    lazy_unlock(&q);
    return r;
}

int lazy_forget(const void *at, size_t len)
{
    struct hole h = {.from = (uintptr_t)at, .to = page_up((uintptr_t)at + len)};
    int r = 0;
    if (!lazy_any() || !lazy_is_near(h.from, h.to))
        return 0;
    while ((r = cut_all(&h)) == 0) {
        if (h.twin)
            memory_unmap(h.twin, h.twin->bytes);
        h.twin = memory_map(h.twin_bytes);
        if (!h.twin)
            return -ENOMEM;
        h.twin->bytes = h.twin_bytes;
    }
    if (h.twin)
        memory_unmap(h.twin, h.twin_bytes);
    while (h.gone) {
        struct lazy *l = h.gone;
        h.gone = l->next_gone;
        lazy_unref(l);
    }
    return r < 0 ? r : 0;
}
