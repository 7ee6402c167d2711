#include "agent/blocks.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "agent/alloc.h"
#include "agent/meta.h"
#include "agent/s3_count.h"
#include "common/log.h"
#include "policy/prefetch.h"

#define WINDOW_BYTES  (64u << 20) /* the most that one run fetches ahead */
#define WINDOW_BLOCKS 64
#define FLIGHTS_AHEAD 48 /* no more prefetches while so many blocks are under way */
#define STREAMS_MAX   1024
#define LANDED_MAX    4096

struct flight_id {
    struct version_id version;
    uint64_t index;
};

struct flight {
    UT_hash_handle hh;
    struct flight_id id; /* the table's key */
    struct loop_task task;
    struct agent *agent;
    struct context *context;
    struct s3_context *s3;
    struct job *job;
    struct version version;
    struct s3_request request;
    struct block_waiter *waiters;
    struct store_writer *writer; /* engine's thread until done */
    int fd;                      /* the block, once committed */
    bool given;                  /* out of the store, before the loop knew that it had landed */
};

struct stream_id {
    struct version_id version;
    struct job *job;
};

struct stream {
    UT_hash_handle hh;
    struct stream_id id;
    struct prefetch_stream cursors;
};

/* Fetched ahead and not yet given to anybody. */
struct landed_ahead {
    UT_hash_handle hh;
    struct flight_id id;
};

static struct flight *flights;
static struct stream *streams;
static struct landed_ahead *landed;

static struct flight_id make_id(const struct version *v, uint64_t index)
{
    struct flight_id id;
    memset(&id, 0, sizeof(id));
    id.version = v->id;
    id.index = index;
    return id;
}

static struct flight *find_flight(const struct version *v, uint64_t index)
{
    struct flight_id id = make_id(v, index);
    struct flight *f;
    HASH_FIND(hh, flights, &id, sizeof(id), f);
    return f;
}

/* --- on the engine's thread ------------------------------------------------------ */

static int on_body(struct s3_request *r, uint64_t offset, const void *data, size_t len)
{
    struct flight *f = r->user;
    (void)offset;
    /* If-Match holds the content; a size that differs under the same ETag is a lie. */
    if (r->meta.size_bytes != f->version.size_bytes)
        return -ESTALE;
    return store_write(f->writer, data, len);
}

static void on_done(struct s3_request *r)
{
    struct flight *f = r->user;
    bool published;
    if (r->result.error == -ENOENT) {
        r->result.error = -ESTALE;
        snprintf(r->result.why, sizeof(r->result.why),
                 "s3://%s/%s was deleted while it was open, and this block is not cached",
                 r->bucket, r->key);
    }
    if (r->result.error < 0) {
        store_abort(f->writer);
    } else if (r->result.http_status == 304 || r->result.http_status == 416) {
        store_abort(f->writer);
        r->result.error = -ESTALE;
        snprintf(r->result.why, sizeof(r->result.why),
                 "s3://%s/%s is shorter than it was when it was opened", r->bucket, r->key);
    } else {
        f->fd = store_commit(f->writer, &published);
        if (f->fd < 0) {
            r->result.error = f->fd;
            snprintf(r->result.why, sizeof(r->result.why),
                     "a block of s3://%s/%s could not be kept: %s", r->bucket, r->key,
                     strerror(-f->fd));
        }
    }
    f->writer = NULL;
    loop_post(f->agent->loop, &f->task);
}

/* --- flights ---------------------------------------------------------------------- */

static void free_flight(struct flight *f)
{
    if (f->fd >= 0)
        close(f->fd);
    s3_context_unref(f->s3);
    context_unref(f->context);
    job_unref(f->job);
    free(f);
}

static void wake_all(struct flight *f)
{
    const struct s3_result *result = &f->request.result;
    struct block_result r = {.error = result->error, .why = result->why, .fd = f->fd};
    struct block_waiter *w;
    while ((w = f->waiters)) {
        DL_DELETE(f->waiters, w);
        w->flight = NULL;
        /* One job's credentials say nothing of another's. */
        if (r.error == -EACCES && w->context != f->context)
            blocks_fetch(f->agent, &f->version, f->id.index, w);
        else
            w->wake(w, &r);
    }
}

static void forget_landed(struct landed_ahead *l)
{
    HASH_DEL(landed, l);
    free(l);
}

static void note_landed(const struct flight *f)
{
    struct landed_ahead *l = must_calloc(1, sizeof(*l));
    l->id = f->id;
    if (HASH_COUNT(landed) >= LANDED_MAX)
        forget_landed(landed);
    HASH_ADD(hh, landed, id, sizeof(l->id), l);
}

bool blocks_was_ahead(const struct version *v, uint64_t index)
{
    struct flight_id id = make_id(v, index);
    struct landed_ahead *l;
    struct flight *f = find_flight(v, index);
    if (f)
        f->given = true;
    HASH_FIND(hh, landed, &id, sizeof(id), l);
    if (l)
        forget_landed(l);
    return l || f;
}

static void on_landed(struct loop_task *task)
{
    struct flight *f = (struct flight *)((char *)task - offsetof(struct flight, task));
    HASH_DEL(flights, f);
    s3_count(f->job, &f->request);
    if (f->request.result.error == -ESTALE)
        meta_drop(context_serial(f->context), f->version.bucket, f->version.key);
    if (f->request.result.error < 0 && !f->waiters)
        log_info("fetch", "ahead: %s", f->request.result.why);
    else if (!f->waiters && !f->given)
        note_landed(f);
    wake_all(f);
    free_flight(f);
}

/* Starts fetching a block. NULL with the reason when the credentials can't be had. */
static struct flight *take_off(struct agent *a, const struct version *v, uint64_t index,
                               struct context *context, struct job *job, struct block_result *r,
                               char *why, size_t why_size)
{
    struct s3_context *s3 = context_s3(context, v->style, &r->error, why, why_size);
    r->why = why;
    if (!s3)
        return NULL;
    struct flight *f = must_calloc(1, sizeof(*f));
    f->id.version = v->id;
    f->id.index = index;
    f->task.run = on_landed;
    f->agent = a;
    f->context = context_ref(context);
    f->s3 = s3_context_ref(s3);
    f->job = job;
    job_ref(job);
    f->version = *v;
    f->fd = -1;
    f->writer = store_begin(a->store, v, index);
    f->request = (struct s3_request){.op = S3_GET,
                                     .context = f->s3,
                                     .bucket = f->version.bucket,
                                     .key = f->version.key,
                                     .offset = index * v->block_bytes,
                                     .length = version_block_len(v, index),
                                     .if_match = f->version.etag,
                                     .deadline_ms = a->deadline_ms,
                                     .write = on_body,
                                     .done = on_done,
                                     .user = f};
    HASH_ADD(hh, flights, id, sizeof(f->id), f);
    int submitted = s3_submit(a->engine, &f->request);
    if (submitted == 0)
        return f;
    HASH_DEL(flights, f);
    store_abort(f->writer);
    free_flight(f);
    r->error = submitted;
    snprintf(why, why_size, "the request to S3 could not be started: %s", strerror(-submitted));
    return NULL;
}

void blocks_fetch(struct agent *a, const struct version *v, uint64_t index, struct block_waiter *w)
{
    struct flight *f = find_flight(v, index);
    w->flight = NULL;
    if (!f) {
        struct block_result r = {.fd = -1};
        char why[384] = "";
        f = take_off(a, v, index, w->context, w->job, &r, why, sizeof(why));
        if (!f) {
            w->wake(w, &r);
            return;
        }
    }
    w->flight = f;
    DL_APPEND(f->waiters, w);
}

void blocks_cancel(struct block_waiter *w)
{
    if (!w->flight)
        return;
    DL_DELETE(w->flight->waiters, w);
    w->flight = NULL;
}

/* --- ahead ------------------------------------------------------------------------ */

static struct stream *get_stream(const struct version *v, struct job *job)
{
    struct stream_id id;
    struct stream *s;
    memset(&id, 0, sizeof(id));
    id.version = v->id;
    id.job = job;
    HASH_FIND(hh, streams, &id, sizeof(id), s);
    if (s)
        return s;
    if (HASH_COUNT(streams) >= STREAMS_MAX) {
        struct stream *oldest = streams;
        HASH_DEL(streams, oldest);
        free(oldest);
    }
    s = must_calloc(1, sizeof(*s));
    s->id = id;
    HASH_ADD(hh, streams, id, sizeof(s->id), s);
    return s;
}

void blocks_ahead(struct agent *a, const struct version *v, uint64_t first, uint64_t count,
                  bool missed, struct context *context, struct job *job)
{
    if (version_blocks(v) <= first + count)
        return;
    uint32_t window = WINDOW_BYTES / v->block_bytes;
    window = window < 2 ? 2 : window > WINDOW_BLOCKS ? WINDOW_BLOCKS : window;
    struct stream *s = get_stream(v, job);
    struct prefetch_range range =
        prefetch_next(&s->cursors, first, count, version_blocks(v), window, missed);
    for (uint64_t i = range.first; i < range.first + range.count; i++) {
        struct block_result r = {.fd = -1};
        char why[384];
        if (HASH_COUNT(flights) >= FLIGHTS_AHEAD) {
            prefetch_stopped_at(&s->cursors, i);
            return;
        }
        if (find_flight(v, i) || store_has(a->store, v, i))
            continue;
        if (!take_off(a, v, i, context, job, &r, why, sizeof(why)))
            return;
        job_count(job, COUNTER_prefetched_blocks, 1);
    }
}

size_t blocks_in_flight(void)
{
    return HASH_COUNT(flights);
}
