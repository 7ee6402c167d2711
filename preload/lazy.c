#include "preload/lazy.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/fault.h"
#include "preload/lazy_range.h"
#include "preload/memory.h"
#include "preload/state.h"

#define RANGES_MAX 1024

/* Of a block. PLACING outlives the lock only in a child forked at that moment: then it may be
 * mapped already. */
enum { ABSENT, PLACING, HERE };

_Atomic unsigned lazy_ranges;
static _Atomic(struct lazy *) table[RANGES_MAX];
static _Atomic unsigned used; /* entries of the table that may be in use */
static _Atomic uintptr_t lowest, highest;
static _Atomic uint64_t changes;

uint64_t lazy_changes(void)
{
    return atomic_load(&changes);
}

/* --- one range --------------------------------------------------------------------------- */

struct lazy *lazy_new(const struct span *s, struct object *o)
{
    uint64_t n = span_blocks(s, o);
    struct lazy *l = memory_map(sizeof(*l) + n);
    if (!l)
        return NULL;
    object_ref(o);
    l->object = o;
    l->span = *s;
    l->first = span_first_block(s, o);
    l->n = n;
    l->bytes = sizeof(*l) + n;
    atomic_store(&l->from, (uintptr_t)s->at);
    atomic_store(&l->to, page_up((uintptr_t)s->at + s->len));
    atomic_store(&l->refs, 1);
    return l;
}

void lazy_unref(struct lazy *l)
{
    if (atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    object_unref(l->object);
    memory_unmap(l, l->bytes);
}

int lazy_place(struct lazy *l, uint64_t index, int fd)
{
    _Atomic uint8_t *block = &l->blocks[index - l->first];
    atomic_store(block, PLACING);
    int r = span_place(&l->span, l->object, index, fd, atomic_load(&l->from), atomic_load(&l->to));
    atomic_store(block, r == 0 ? HERE : ABSENT);
    atomic_fetch_add(&changes, 1);
    return r;
}

/* Where the block lies in what is left of the range; false when it doesn't. */
static bool part_of(const struct lazy *l, uint64_t index, uintptr_t *from, uintptr_t *to)
{
    uintptr_t block = span_address(&l->span, l->object, index);
    uintptr_t end = page_up(block + object_block_len(l->object, index));
    *from = block > l->from ? block : l->from;
    *to = end < l->to ? end : l->to;
    return *from < *to;
}

uint64_t lazy_next_absent(const struct lazy *l, uint64_t index)
{
    uintptr_t from, to;
    for (; index < l->first + l->n; index++)
        if (atomic_load(&l->blocks[index - l->first]) != HERE && part_of(l, index, &from, &to))
            return index;
    return UINT64_MAX;
}

uint64_t lazy_absent_bytes(const struct lazy *l)
{
    uint64_t sum = 0;
    for (uint64_t i = lazy_next_absent(l, l->first); i != UINT64_MAX;
         i = lazy_next_absent(l, i + 1)) {
        uintptr_t from = 0, to = 0;
        part_of(l, i, &from, &to);
        sum += to - from;
    }
    return sum;
}

/* --- the table, under the lock ------------------------------------------------------------- */

static struct lazy *entry(unsigned i)
{
    return atomic_load_explicit(&table[i], memory_order_acquire);
}

struct lazy *lazy_next_in(unsigned *i, uintptr_t from, uintptr_t to)
{
    while (*i < atomic_load(&used)) {
        struct lazy *l = entry((*i)++);
        if (l && l->to > from && l->from < to)
            return l;
    }
    return NULL;
}

static struct lazy *find(uintptr_t at)
{
    for (unsigned i = 0; i < atomic_load(&used); i++) {
        struct lazy *l = entry(i);
        if (l && at >= l->from && at < l->to)
            return l;
    }
    return NULL;
}

bool lazy_add(struct lazy *l)
{
    unsigned i = 0;
    while (i < RANGES_MAX && entry(i))
        i++;
    if (i == RANGES_MAX)
        return false;
    if (i >= atomic_load(&used))
        atomic_store(&used, i + 1);
    if (atomic_load(&lazy_ranges) == 0 || l->from < atomic_load(&lowest))
        atomic_store(&lowest, l->from);
    if (atomic_load(&lazy_ranges) == 0 || l->to > atomic_load(&highest))
        atomic_store(&highest, l->to);
    atomic_fetch_add(&l->refs, 1);
    atomic_store(&table[i], l);
    atomic_fetch_add(&lazy_ranges, 1);
    return true;
}

/* True: the table's reference is the caller's now. False: it was not in it. */
static bool drop(struct lazy *l)
{
    for (unsigned i = 0; i < atomic_load(&used); i++) {
        if (entry(i) != l)
            continue;
        atomic_store(&table[i], NULL);
        atomic_fetch_sub(&lazy_ranges, 1);
        return true;
    }
    return false;
}

bool lazy_drop_if_done(struct lazy *l)
{
    return lazy_next_absent(l, l->first) == UINT64_MAX && drop(l);
}

bool lazy_list(struct lazy *l)
{
    struct quiet q = lazy_lock();
    bool added = lazy_add(l);
    lazy_unlock(&q);
    return added;
}

/* --- bringing blocks ----------------------------------------------------------------------- */

/* Maps what came, unless others did or the memory is something else by now. Only a touch proves
 * that a block which a fork caught half-way is not mapped: it is the first of those that came. */
static int place_all(struct lazy *l, uint64_t index, const int *fds, int n, bool *done)
{
    int result = 0;
    struct quiet q = lazy_lock();
    for (int i = 0; i < n && index + (uint64_t)i < l->first + l->n; i++) {
        uint8_t is = atomic_load(&l->blocks[index + (uint64_t)i - l->first]);
        if (is == HERE || (is == PLACING && i > 0))
            continue;
        int r = lazy_place(l, index + (uint64_t)i, fds[i]);
        if (i == 0)
            result = r;
    }
    *done = lazy_drop_if_done(l);
    lazy_unlock(&q);
    return result;
}

/* What the client did not tell: limits of this process. */
static void tell(const struct lazy *l, int error)
{
    static const char descriptors[] = "a touched page needs a descriptor: raise ulimit -n",
                      maps[] = "a touched page needs a map of its own: raise vm.max_map_count";
    if (error == -EMFILE || error == -ENFILE)
        fault_tell(l->object->key, -error, descriptors, sizeof(descriptors) - 1);
    else
        fault_tell(l->object->key, -error, maps, sizeof(maps) - 1);
}

static int bring_block(struct lazy *l, uint64_t index, uint32_t at)
{
    int fds[WIRE_MAX_FDS];
    bool done = false;
    int n = -EMFILE;
    state_count(COUNTER_map_faults, 1);
    for (int want = WIRE_MAX_FDS; n == -EMFILE && want > 0; want /= WIRE_MAX_FDS) {
        struct block_part all = {.to = object_block_len(l->object, index),
                                 .maps = true,
                                 .advice = atomic_load(&l->advice)};
        all.at = at < all.to ? at : all.to - 1; /* the last page goes on behind the object's end */
        n = object_fetch(l->object, index, want, &all, fds);
    }
    if (n == -EMFILE || n == -ENFILE)
        tell(l, n);
    if (n < 0)
        return n;
    int r = place_all(l, index, fds, n, &done);
    if (r < 0)
        tell(l, r);
    for (int i = 0; i < n; i++)
        syscall(SYS_close, fds[i]);
    if (done)
        lazy_unref(l);
    return r;
}

/* The range that this is a part of, with one more reference, or NULL. */
static struct lazy *hold(uintptr_t address)
{
    struct quiet q = lazy_lock();
    struct lazy *l = find(address);
    if (l)
        atomic_fetch_add(&l->refs, 1);
    lazy_unlock(&q);
    return l;
}

/* Which byte of the object lies at this address. */
static uint64_t byte_at(const struct lazy *l, uintptr_t address)
{
    return address - (uintptr_t)l->span.at + l->span.offset;
}

enum lazy_answer lazy_bring(uintptr_t address)
{
    struct lazy *l = hold(address);
    if (!l)
        return LAZY_NOT_OURS;
    uint64_t byte = byte_at(l, address), index = byte >> l->object->block_shift;
    enum lazy_answer answer = LAZY_IS_HERE;
    if (atomic_load(&l->blocks[index - l->first]) != HERE)
        answer = bring_block(l, index, (uint32_t)byte & (l->object->block_bytes - 1)) == 0
                     ? LAZY_BROUGHT
                     : LAZY_FAILED;
    lazy_unref(l);
    return answer;
}

/* A fork caught the block half-way: a touch maps it if nothing did. */
static void settle(uintptr_t address)
{
    (void)*(volatile const char *)address;
    struct quiet q = lazy_lock();
    struct lazy *l = find(address);
    if (l)
        atomic_store(&l->blocks[(byte_at(l, address) >> l->object->block_shift) - l->first], HERE);
    lazy_unlock(&q);
}

/* The lowest absent address in [from, to) of any range, or 0. */
static uintptr_t next_absent(uintptr_t from, uintptr_t to, bool *half_way)
{
    uintptr_t best = 0;
    struct quiet q = lazy_lock();
    unsigned i = 0;
    for (struct lazy *l; (l = lazy_next_in(&i, from, to));) {
        uintptr_t begin = from > l->from ? from : l->from, part, part_end;
        uint64_t index = byte_at(l, begin) >> l->object->block_shift;
        index = lazy_next_absent(l, index);
        if (index == UINT64_MAX || !part_of(l, index, &part, &part_end))
            continue;
        part = part > begin ? part : begin;
        if (part >= to || (best && part >= best))
            continue;
        best = part;
        *half_way = atomic_load(&l->blocks[index - l->first]) == PLACING;
    }
    lazy_unlock(&q);
    return best;
}

bool lazy_is_near(uintptr_t from, uintptr_t to)
{
    return to > atomic_load(&lowest) && from < atomic_load(&highest);
}

/* Beyond these there never was anything absent. */
static void clip(uintptr_t *from, uintptr_t *to)
{
    if (*from < atomic_load(&lowest))
        *from = atomic_load(&lowest);
    if (*to > atomic_load(&highest))
        *to = atomic_load(&highest);
}

static int fill(uintptr_t from, uintptr_t to)
{
    bool half_way = false;
    clip(&from, &to);
    while (from < to && lazy_any()) {
        uintptr_t at = next_absent(from, to, &half_way);
        if (!at)
            return 0;
        if (half_way)
            settle(at);
        else if (lazy_bring(at) == LAZY_FAILED)
            return -EIO;
        from = at;
    }
    return 0;
}

int lazy_fill(const void *at, size_t len)
{
    uintptr_t from = (uintptr_t)at;
    return fill(from, from + len < from ? UINTPTR_MAX : from + len);
}

int lazy_fill_all(void)
{
    return fill(0, UINTPTR_MAX);
}

void lazy_need_now(uintptr_t at, size_t len)
{
    int error = errno;
    fill(at, at + len < at ? UINTPTR_MAX : at + len);
    errno = error;
}

void lazy_need_pieces_now(const struct iovec *pieces, size_t n)
{
    for (size_t i = 0; i < n && n <= IOV_MAX; i++) /* more are refused anyway */
        lazy_need_now((uintptr_t)pieces[i].iov_base, pieces[i].iov_len);
}

void lazy_want(const void *at, size_t len)
{
    uintptr_t from = (uintptr_t)at, to = from + len < from ? UINTPTR_MAX : from + len;
    bool half_way;
    clip(&from, &to);
    while (from < to && lazy_any() && (from = next_absent(from, to, &half_way))) {
        struct lazy *l = hold(from);
        if (!l)
            return;
        uintptr_t end = to < l->to ? to : l->to;
        object_want(l->object, byte_at(l, from), byte_at(l, end), true);
        from = end;
        lazy_unref(l);
    }
}

void lazy_advise(const void *at, size_t len, uint8_t advice)
{
    uintptr_t from = (uintptr_t)at, to = from + len < from ? UINTPTR_MAX : from + len;
    struct quiet q = lazy_lock();
    unsigned i = 0;
    for (struct lazy *l; (l = lazy_next_in(&i, from, to));)
        atomic_store(&l->advice, advice);
    lazy_unlock(&q);
}

int lazy_protection(const void *at, size_t len)
{
    uintptr_t from = (uintptr_t)at;
    struct quiet q = lazy_lock();
    struct lazy *l = find(from);
    int protection = l && len <= l->to - from ? l->span.protection : -1;
    lazy_unlock(&q);
    return protection;
}
