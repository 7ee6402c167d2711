#include "agent/route.h"

#include <uthash.h>

#include "agent/elsewhere.h"
#include "common/alloc.h"

/* One block on its way, first from elsewhere, then perhaps from S3. */
struct route {
    UT_hash_handle hh;
    struct partial *partial; /* the table's key */
    struct elsewhere *elsewhere;
    struct transfer how; /* of this one part */
    struct transfer_part part;
    struct version version;
};

static struct route *routes; /* those that are looked for elsewhere */

static void route_free(struct route *r)
{
    context_unref(r->how.context);
    job_unref(r->how.job);
    free(r);
}

static void on_transfer_progress(struct transfer *t)
{
    struct route *r = t->user;
    r->how.progress(t);
}

static void on_transfer_ended(struct transfer *t)
{
    struct route *r = t->user;
    elsewhere_done(r->elsewhere, t->error == 0);
    r->how.ended(t);
    route_free(r);
}

static void go_to_origin(struct route *r)
{
    struct transfer how = r->how;
    how.user = r;
    how.progress = on_transfer_progress;
    how.ended = on_transfer_ended;
    if (transfer_start(&how, &r->how.error, r->how.why, sizeof(r->how.why)))
        return;
    r->how.user = r;
    on_transfer_ended(&r->how);
}

static void on_elsewhere(void *user, enum elsewhere_end end, int fd)
{
    struct route *r = user;
    HASH_DEL(routes, r);
    if (end == ELSEWHERE_ORIGIN) {
        go_to_origin(r);
        return;
    }
    partial_adopt(r->partial, fd);
    r->how.user = r;
    on_transfer_ended(&r->how);
}

/* Peers hand out whole blocks only. That is worth it where most of one is wanted: all of it, or the
 * rest behind the first bytes, which a reader that begins in small steps has had from S3. */
static bool is_most(const struct transfer_part *part)
{
    return part->span.to > part->span.from + partial_len(part->partial) / 2;
}

/* False: this part has to come from S3. */
static bool start_elsewhere(const struct transfer *how, const struct transfer_part *part)
{
    if (!is_most(part))
        return false;
    struct route *r = must_calloc(1, sizeof(*r));
    r->partial = part->partial;
    r->part = *part;
    r->version = *how->version;
    r->how = *how;
    r->how.version = &r->version;
    r->how.parts = &r->part;
    r->how.n_parts = 1;
    context_ref(r->how.context);
    job_ref(r->how.job);
    enum elsewhere_for what_for = how->eager ? ELSEWHERE_FOR_JOB
                                  : how->far ? ELSEWHERE_FAR
                                             : ELSEWHERE_AHEAD;
    r->elsewhere =
        elsewhere_start(how->agent, how->version, part->index, what_for, how->job, on_elsewhere, r);
    if (!r->elsewhere) {
        route_free(r);
        return false;
    }
    HASH_ADD(hh, routes, partial, sizeof(struct partial *), r);
    return true;
}

/* A transfer that could not be started although others of the same call were. */
struct failed {
    struct loop_task task;
    struct transfer how;
    struct version version;
    struct transfer_part parts[];
};

static void on_failed(struct loop_task *task)
{
    struct failed *f = (struct failed *)task;
    f->how.ended(&f->how);
    context_unref(f->how.context);
    job_unref(f->how.job);
    free(f);
}

static void fail_later(const struct transfer *how, int error, const char *why)
{
    struct failed *f = must_calloc(1, sizeof(*f) + how->n_parts * sizeof(f->parts[0]));
    f->task.run = on_failed;
    f->how = *how;
    f->version = *how->version;
    memcpy(f->parts, how->parts, how->n_parts * sizeof(f->parts[0]));
    f->how.version = &f->version;
    f->how.parts = f->parts;
    f->how.error = error;
    snprintf(f->how.why, sizeof(f->how.why), "%s", why);
    context_ref(f->how.context);
    job_ref(f->how.job);
    loop_post(how->agent->loop, &f->task);
}

bool route_start(const struct transfer *how, int *error, char *why, size_t why_size)
{
    if (!how->agent->cluster)
        return transfer_start(how, error, why, why_size) != NULL;
    if (!context_s3(how->context, how->version->style, error, why, why_size))
        return false;
    size_t from = 0; /* the first part that goes to S3 with its neighbours */
    for (size_t i = 0; i <= how->n_parts; i++) {
        if (i < how->n_parts && !start_elsewhere(how, &how->parts[i]))
            continue;
        struct transfer rest = *how;
        rest.parts = how->parts + from;
        rest.n_parts = i - from;
        from = i + 1;
        if (rest.n_parts == 0 || transfer_start(&rest, error, why, why_size))
            continue;
        if (rest.n_parts == how->n_parts)
            return false;
        fail_later(&rest, *error, why);
    }
    return true;
}

void route_hurry(const struct partial *p)
{
    struct route *r;
    HASH_FIND(hh, routes, &p, sizeof(p), r);
    if (r)
        elsewhere_hurry(r->elsewhere);
}

size_t routes_in_flight(void)
{
    return transfers_in_flight() + HASH_COUNT(routes);
}
