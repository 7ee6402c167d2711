#include "agent/far_ahead.h"

#include <uthash.h>

#include "agent/blocks.h"
#include "agent/cluster.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "policy/far.h"

#define RUNS_MAX       256
#define READERS_MAX    512
#define READERS_OLD_MS 100 /* who reads it is asked again after that */

struct far_id {
    struct version_id version;
    const struct job *job;
};

/* One job's reading of one version. */
struct far_run {
    UT_hash_handle hh;
    struct far_id id; /* the table's key; the oldest come first */
    struct far far;
    size_t under_way;

    /* while anything is under way */
    struct agent *agent;
    struct version version;
    struct context *context;
    struct job *job;

    int64_t readers_ms; /* when the following was asked; 0: never */
    size_t n_readers;
    uint64_t readers[READERS_MAX];
};

static struct far_run *runs;

static struct far_run *find(const struct version *v, const struct job *job)
{
    struct far_id id;
    struct far_run *r;
    memset(&id, 0, sizeof(id));
    id.version = v->id;
    id.job = job;
    HASH_FIND(hh, runs, &id, sizeof(id), r);
    return r;
}

/* Those that have nothing under way may go. */
static void trim(void)
{
    struct far_run *r, *next;
    HASH_ITER(hh, runs, r, next)
    {
        if (HASH_COUNT(runs) < RUNS_MAX)
            return;
        if (r->under_way > 0)
            continue;
        HASH_DEL(runs, r);
        free(r);
    }
}

static struct far_run *get(const struct version *v, const struct job *job)
{
    struct far_run *r = find(v, job);
    if (r)
        return r;
    trim();
    r = must_calloc(1, sizeof(*r));
    r->id.version = v->id;
    r->id.job = job;
    HASH_ADD(hh, runs, id, sizeof(r->id), r);
    return r;
}

static void ask_readers(struct agent *a, struct far_run *r, const struct version *v)
{
    int64_t now = clock_monotonic_ms();
    if (r->readers_ms != 0 && now - r->readers_ms < READERS_OLD_MS)
        return;
    r->readers_ms = now;
    r->n_readers = index_readers(cluster_index(a->cluster), v->id.bytes, r->readers, READERS_MAX);
}

/* Where all others have a block, it is worth nothing to them that this node has it, too. */
static bool somebody_lacks(const struct agent *a, const struct far_run *r, const struct version *v,
                           uint64_t block)
{
    return cluster_holders(a, v, block) < r->n_readers;
}

static void start(struct agent *a, struct far_run *r, const struct version *v,
                  struct context *context, struct job *job)
{
    uint64_t block, content;
    if (!far_is_due(&r->far))
        return;
    ask_readers(a, r, v);
    memcpy(&content, v->id.bytes, sizeof(content));
    if (far_needs_plan(&r->far, r->n_readers))
        far_plan(&r->far, content, version_blocks(v), r->readers, r->n_readers,
                 cluster_node(a->cluster));
    if (r->n_readers == 0)
        return;
    while (far_next(&r->far, r->under_way, &block)) {
        if (!somebody_lacks(a, r, v, block) || !blocks_fetch_far(a, v, block, context, job, r))
            continue;
        if (r->under_way++ > 0)
            continue;
        r->agent = a;
        r->version = *v;
        r->context = context_ref(context);
        r->job = job;
        job_ref(job);
    }
}

void far_ahead_read(struct agent *a, const struct version *v, uint64_t index,
                    struct context *context, struct job *job)
{
    if (!a->cluster || version_blocks(v) <= FAR_READ_FIRST)
        return;
    struct far_run *r = get(v, job);
    far_read(&r->far, index);
    start(a, r, v, context, job);
}

void far_ahead_ended(struct far_run *r, bool ok)
{
    struct context *context = r->context;
    struct job *job = r->job;
    struct version v = r->version;
    bool was_last = --r->under_way == 0;
    if (ok)
        start(r->agent, r, &v, context, job);
    if (!was_last)
        return;
    context_unref(context);
    job_unref(job);
}

size_t far_ahead_most(const struct version *v, const struct job *job, size_t usual)
{
    const struct far_run *r = find(v, job);
    return r && far_is_active(&r->far) ? FAR_NEAR_AT_ONCE + r->under_way : usual;
}
