#include "agent/gather.h"

#include <errno.h>
#include <unistd.h>
#include <utlist.h>

#include "common/alloc.h"

#define IDLE_MAX        1024
#define IDLE_MEMORY_MAX (STORE_MEMORY_MAX / 4)
#define LANDED_MAX      4096

/* Fetched ahead and not yet given to anybody. */
struct landed_ahead {
    UT_hash_handle hh;
    struct store_place id;
};

static struct gather *gathers;
static struct gather *idle; /* the longest idle first */
static size_t n_idle;
static uint64_t idle_memory_bytes;
static struct landed_ahead *landed;

static struct store_place make_id(const struct version *v, uint64_t index)
{
    struct store_place id;
    memset(&id, 0, sizeof(id));
    id.version = v->id;
    id.index = index;
    return id;
}

struct gather *gather_find(const struct version *v, uint64_t index)
{
    struct store_place id = make_id(v, index);
    struct gather *g;
    HASH_FIND(hh, gathers, &id, sizeof(id), g);
    return g;
}

/* --- gathers' lives ---------------------------------------------------------------- */

static void gather_free(struct gather *g)
{
    if (!g->landed)
        HASH_DEL(gathers, g);
    partial_free(g->partial);
    free(g);
}

void gather_leave_idle(struct gather *g)
{
    if (!g->is_idle)
        return;
    g->is_idle = false;
    DL_DELETE(idle, g);
    n_idle--;
    idle_memory_bytes -= partial_memory_bytes(g->partial);
}

/* Its readers keep the descriptors that they have. */
static void forget(struct gather *g)
{
    gather_leave_idle(g);
    gather_free(g);
}

/* The longest idle; of those in memory alone, when these are too many. */
static void trim_idle(void)
{
    struct gather *g, *next;
    if (n_idle > IDLE_MAX)
        forget(idle);
    DL_FOREACH_SAFE(idle, g, next)
    {
        if (idle_memory_bytes <= IDLE_MEMORY_MAX)
            return;
        if (partial_memory_bytes(g->partial) > 0)
            forget(g);
    }
}

void gather_settle(struct gather *g)
{
    bool broken = !partial_missing(g->partial, UINT64_MAX) && !partial_is_complete(g->partial);
    if (g->landed || broken || partial_have(g->partial) == 0) {
        gather_free(g);
        return;
    }
    g->is_idle = true;
    DL_APPEND(idle, g);
    n_idle++;
    idle_memory_bytes += partial_memory_bytes(g->partial);
    trim_idle();
}

struct gather *gather_of(struct agent *a, const struct version *v, uint64_t index,
                         struct partial *p)
{
    struct gather *g = must_calloc(1, sizeof(*g));
    g->id = make_id(v, index);
    g->store = a->store;
    g->partial = p;
    HASH_ADD(hh, gathers, id, sizeof(g->id), g);
    return g;
}

struct gather *gather_new(struct agent *a, const struct version *v, uint64_t index)
{
    return gather_of(a, v, index, partial_new(a->store, v, index, a->piece_bytes));
}

void blocks_forget(void)
{
    while (idle)
        forget(idle);
}

/* --- ahead and landed -------------------------------------------------------------- */

static void forget_landed(struct landed_ahead *l)
{
    HASH_DEL(landed, l);
    free(l);
}

static void note_landed(const struct store_place *id)
{
    struct landed_ahead *l;
    HASH_FIND(hh, landed, id, sizeof(*id), l);
    if (l)
        return;
    if (HASH_COUNT(landed) >= LANDED_MAX)
        forget_landed(landed);
    l = must_calloc(1, sizeof(*l));
    l->id = *id;
    HASH_ADD(hh, landed, id, sizeof(l->id), l);
}

void blocks_note_ahead(const struct version *v, uint64_t index)
{
    struct store_place id = make_id(v, index);
    note_landed(&id);
}

bool blocks_was_ahead(const struct version *v, uint64_t index)
{
    struct store_place id = make_id(v, index);
    struct landed_ahead *l;
    struct gather *g = gather_find(v, index);
    bool first = g && !g->given;
    if (g)
        g->given = true;
    HASH_FIND(hh, landed, &id, sizeof(id), l);
    if (l)
        forget_landed(l);
    return l || first;
}

/* --- waking ------------------------------------------------------------------------ */

/* A reader that needs a whole block may map it: it waits for the file that the store has. */
bool gather_is_ready(const struct gather *g, const struct block_waiter *w)
{
    bool wants_all = w->need.from == 0 && w->need.to == partial_len(g->partial);
    return wants_all ? partial_is_complete(g->partial) : partial_ready(g->partial, w->need).to > 0;
}

void gather_wake(struct gather *g, struct block_waiter *w)
{
    struct block_result r = {.why = ""};
    bool complete = partial_is_complete(g->partial);
    r.ready = partial_ready(g->partial, w->need);
    r.fd = partial_reader(g->partial);
    r.complete = complete && (w->maps || !store_is_memory(g->store, r.fd));
    if (r.fd < 0) {
        r.error = r.fd;
        r.why = "the agent has no descriptor left, or cannot read its own cache";
    }
    g->given = true;
    w->wake(w, &r);
    if (r.fd >= 0)
        close(r.fd);
}

void gather_wake_ready(struct gather *g)
{
    struct block_waiter *w, *next;
    if (partial_is_complete(g->partial) && !g->landed) {
        HASH_DEL(gathers, g);
        g->landed = true;
        if (!g->waiters && !g->given)
            note_landed(&g->id);
        else
            store_note_used(g->store, &g->id);
    }
    DL_FOREACH_SAFE(g->waiters, w, next)
    {
        if (!gather_is_ready(g, w))
            continue;
        DL_DELETE(g->waiters, w);
        w->gather = NULL;
        gather_wake(g, w);
    }
}

/* --- what is here -------------------------------------------------------------------- */

int blocks_peek(const struct version *v, uint64_t index, uint32_t at, struct span *ready)
{
    struct gather *g = gather_find(v, index);
    if (!g)
        return -ENOENT;
    *ready = partial_ready(g->partial, (struct span){at, at + 1});
    return ready->to > 0 ? partial_reader(g->partial) : -ENOENT;
}

size_t blocks_in_flight(void)
{
    return HASH_COUNT(gathers) - n_idle;
}

size_t blocks_incomplete(void)
{
    return n_idle;
}
