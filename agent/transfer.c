#include "agent/transfer.h"

#include <errno.h>
#include <stdio.h>

#include "agent/pinned.h"
#include "agent/s3_count.h"
#include "agent/store/buffer.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "policy/pipe.h"

#define FIRST_FLUSH_BYTES (64u << 10)

struct transfer_state {
    struct loop_task progress_task, ended_task;
    atomic_bool progress_posted;
    atomic_uint_fast64_t carried; /* bytes that the loop was not told of */
    int64_t started_ms;
    bool answered; /* loop: the time of the first byte was taken */
    struct version version;
    struct s3_context *s3;
    struct s3_request request;

    /* engine's thread until ended; the first from the first progress on */
    int64_t first_byte_ms;
    size_t part;
    uint32_t at;          /* in the part's block: bytes before are written */
    uint32_t fill;        /* bytes in the buffer */
    uint32_t flush_bytes; /* write when so many are there */
    char *buffer;
    XXH3_state_t *hash; /* of the block so far, where the transfer brings all of it */
};

static size_t in_flight;
static struct pipe origin_pipe; /* loop's thread */

/* --- on the engine's thread ------------------------------------------------------ */

static bool brings_all(const struct transfer_part *part)
{
    return part->span.from == 0 && part->span.to == partial_len(part->partial);
}

static void begin_part(struct transfer *t)
{
    struct transfer_state *s = t->state;
    if (s->part == t->n_parts)
        return;
    s->at = t->parts[s->part].span.from;
    if (brings_all(&t->parts[s->part]))
        XXH3_64bits_reset(s->hash);
}

static void tell_progress(struct transfer *t)
{
    if (!atomic_exchange(&t->state->progress_posted, true))
        loop_post(t->agent->loop, &t->state->progress_task);
}

/* Small pieces first for a reader that waits, large ones once the stream runs. */
static uint32_t next_flush_bytes(const struct transfer *t)
{
    uint32_t piece = partial_piece_bytes(t->parts[0].partial);
    uint32_t bytes = t->state->flush_bytes * 4;
    if (!t->eager || bytes > BUFFER_BYTES)
        bytes = BUFFER_BYTES;
    return bytes < piece ? piece : bytes / piece * piece;
}

static int flush(struct transfer *t)
{
    struct transfer_state *s = t->state;
    const struct transfer_part *part = &t->parts[s->part];
    bool last = s->at + s->fill == part->span.to;
    bool whole = last && brings_all(part);
    uint64_t hash = whole ? XXH3_64bits_digest(s->hash) : 0;
    int r = partial_write(part->partial, s->at, s->buffer, s->fill, whole ? &hash : NULL);
    if (r < 0)
        return r;
    s->at += s->fill;
    atomic_fetch_add(&s->carried, s->fill);
    s->fill = 0;
    s->flush_bytes = next_flush_bytes(t);
    tell_progress(t);
    if (last) {
        s->part++;
        begin_part(t);
    }
    return 0;
}

/* While S3 thinks. */
static void on_sent(struct s3_request *r)
{
    struct transfer *t = r->user;
    for (size_t i = 0; i < t->n_parts; i++)
        partial_prepare(t->parts[i].partial, brings_all(&t->parts[i]));
}

static bool is_awaited(struct s3_request *r)
{
    const struct transfer *t = r->user;
    for (size_t i = 0; i < t->n_parts; i++)
        if (partial_is_awaited(t->parts[i].partial))
            return true;
    return false;
}

static int on_body(struct s3_request *r, uint64_t offset, const void *data, size_t len)
{
    struct transfer *t = r->user;
    struct transfer_state *s = t->state;
    const char *p = data;
    (void)offset;
    /* If-Match holds the content; a size that differs under the same ETag is a lie. */
    if (r->meta.size_bytes != s->version.size_bytes)
        return -ESTALE;
    if (!s->buffer) {
        s->buffer = buffer_take();
        s->first_byte_ms = clock_monotonic_ms();
    }
    while (len > 0) {
        if (s->part == t->n_parts)
            return -EIO;
        const struct transfer_part *part = &t->parts[s->part];
        uint32_t room = s->flush_bytes - s->fill, rest = part->span.to - s->at - s->fill;
        size_t n = room < rest ? room : rest;
        if (n > len)
            n = len;
        memcpy(s->buffer + s->fill, p, n);
        if (brings_all(part))
            XXH3_64bits_update(s->hash, p, n); /* while the processor's cache has it */
        s->fill += (uint32_t)n;
        p += n;
        len -= n;
        if (n == rest || n == room) {
            int error = flush(t);
            if (error)
                return error;
        }
    }
    return 0;
}

static void judge(struct transfer *t)
{
    struct transfer_state *s = t->state;
    const struct s3_request *r = &s->request;
    const struct s3_result *result = &r->result;
    t->error = result->error;
    snprintf(t->why, sizeof(t->why), "%s", result->why);
    if (result->error == -ENOENT) {
        t->error = -ESTALE;
        snprintf(t->why, sizeof(t->why),
                 "s3://%s/%s was deleted while it was open, and this block is not cached",
                 r->bucket, r->key);
    } else if (!result->error && (result->http_status == 304 || result->http_status == 416)) {
        t->error = -ESTALE;
        snprintf(t->why, sizeof(t->why), "s3://%s/%s is shorter than it was when it was opened",
                 r->bucket, r->key);
    } else if (!result->error && s->part < t->n_parts) {
        t->error = -EIO;
        snprintf(t->why, sizeof(t->why), "s3://%s/%s: S3 sent less than it announced", r->bucket,
                 r->key);
    }
}

static void on_done(struct s3_request *r)
{
    struct transfer *t = r->user;
    judge(t);
    buffer_give(take_ptr(t->state->buffer));
    loop_post(t->agent->loop, &t->state->ended_task);
}

/* --- on the loop's thread ---------------------------------------------------------- */

static void transfer_free(struct transfer *t)
{
    struct transfer_state *s = t->state;
    s3_context_unref(s->s3);
    context_unref(t->context);
    job_unref(t->job);
    XXH3_freeState(s->hash);
    free(t->parts);
    free(s);
    free(t);
}

static struct transfer *transfer_of(struct loop_task *task, size_t offset)
{
    return ((struct transfer_state *)(void *)((char *)task - offset))->request.user;
}

static void measure(struct transfer_state *s)
{
    int64_t now_ms = clock_monotonic_ms();
    if (!s->answered)
        pipe_answered(&origin_pipe, s->first_byte_ms - s->started_ms);
    s->answered = true;
    pipe_carried(&origin_pipe, atomic_exchange(&s->carried, 0), now_ms);
}

static void on_progress(struct loop_task *task)
{
    struct transfer *t = transfer_of(task, offsetof(struct transfer_state, progress_task));
    /* First: what arrives from here on is told anew. */
    atomic_store(&t->state->progress_posted, false);
    measure(t->state);
    t->progress(t);
}

/* Posted after the last progress was, so it comes after that. */
static void on_ended(struct loop_task *task)
{
    struct transfer *t = transfer_of(task, offsetof(struct transfer_state, ended_task));
    in_flight--;
    s3_count(t->job, &t->state->request);
    t->ended(t);
    transfer_free(t);
}

static struct transfer *copy(const struct transfer *how)
{
    struct transfer *t = must_calloc(1, sizeof(*t));
    struct transfer_state *s = must_calloc(1, sizeof(*s));
    *t = *how;
    t->state = s;
    t->parts = must_calloc(how->n_parts, sizeof(*t->parts));
    memcpy(t->parts, how->parts, how->n_parts * sizeof(*t->parts));
    context_ref(t->context);
    job_ref(t->job);
    s->version = *how->version;
    t->version = &s->version;
    s->hash = must(XXH3_createState());
    s->progress_task.run = on_progress;
    s->ended_task.run = on_ended;
    s->request.user = t;
    return t;
}

struct transfer *transfer_start(const struct transfer *how, int *error, char *why, size_t why_size)
{
    struct s3_context *s3 = context_s3(how->context, how->version->style, error, why, why_size);
    if (!s3)
        return NULL;
    struct transfer *t = copy(how);
    struct transfer_state *s = t->state;
    const struct transfer_part *first = &t->parts[0], *last = &t->parts[t->n_parts - 1];
    uint64_t from = first->index * s->version.block_bytes + first->span.from;
    s->s3 = s3_context_ref(s3);
    s->flush_bytes = FIRST_FLUSH_BYTES / 4;
    s->flush_bytes = next_flush_bytes(t);
    s->request =
        (struct s3_request){.op = S3_GET,
                            .context = s3,
                            .bucket = s->version.bucket,
                            .key = s->version.key,
                            .offset = from,
                            .length = last->index * s->version.block_bytes + last->span.to - from,
                            .if_match = s->version.etag,
                            .version_id = pinned_get(&s->version.id),
                            .deadline_ms = t->agent->deadline_ms,
                            .urgent = t->eager,
                            .awaited = is_awaited,
                            .sent = on_sent,
                            .write = on_body,
                            .done = on_done,
                            .user = t};
    begin_part(t);
    *error = s3_submit(t->agent->engine, &s->request);
    if (*error == 0) {
        s->started_ms = clock_monotonic_ms();
        if (in_flight++ == 0)
            pipe_begin(&origin_pipe, s->started_ms);
        return t;
    }
    snprintf(why, why_size, "the request to S3 could not be started: %s", strerror(-*error));
    transfer_free(t);
    return NULL;
}

size_t transfers_in_flight(void)
{
    return in_flight;
}

uint64_t transfer_window_bytes(void)
{
    return pipe_window_bytes(&origin_pipe);
}
