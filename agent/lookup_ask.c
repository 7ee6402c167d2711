#include "agent/lookup_ask.h"

#include <errno.h>
#include <stdio.h>

#include "agent/blocks.h"
#include "agent/store/buffer.h"
#include "agent/store/put.h"
#include "common/cleanup.h"
#include "common/clock.h"

void lookup_file_meta(const struct s3_meta *from, struct meta *to)
{
    *to =
        (struct meta){.kind = META_FILE, .size_bytes = from->size_bytes, .mtime_s = from->mtime_s};
    snprintf(to->etag, sizeof(to->etag), "%s", from->etag);
}

/* --- on the engine's thread ------------------------------------------------------ */

/* `found`: the caller finds it in the store, verified, and books a hit. */
static void on_put(void *user, int fd, bool found)
{
    struct lookup *l = user;
    l->block_fd = found ? -1 : fd;
    loop_post(l->agent->loop, &l->task);
}

static void on_done(struct s3_request *r)
{
    struct lookup *l = r->user;
    struct meta m;
    struct version v;
    if (r->result.error)
        l->beginning_len = 0;
    if (l->beginning_len == 0) {
        loop_post(l->agent->loop, &l->task);
        return;
    }
    lookup_file_meta(&r->meta, &m);
    lookup_version(l->s3, &l->name, &m, l->agent->block_bytes, &v);
    if (l->beginning_len == m.size_bytes) { /* complete */
        store_put(l->agent->store, &v, 0, l->beginning, on_put, l);
        return;
    }
    l->seed = blocks_seed(l->agent, &v, 0, l->beginning, l->beginning_len);
    loop_post(l->agent->loop, &l->task);
}

static int on_body(struct s3_request *r, uint64_t offset, const void *data, size_t len)
{
    struct lookup *l = r->user;
    (void)offset;
    if (!l->beginning)
        l->beginning = buffer_take();
    if (len > BUFFER_BYTES - l->beginning_len)
        return -EIO;
    memcpy(l->beginning + l->beginning_len, data, len);
    l->beginning_len += (uint32_t)len;
    return 0;
}

static void on_entry(struct s3_request *r, const struct s3_entry *entry)
{
    struct lookup *l = r->user;
    (void)entry;
    l->entries++;
}

static bool is_awaited(struct s3_request *r)
{
    const struct lookup *l = r->user;
    return atomic_load(&l->awaited);
}

/* --- asking ----------------------------------------------------------------------- */

/* The beginning again only if it isn't here. */
static void make_conditional(struct lookup *l)
{
    const struct meta *m = meta_find(context_serial(l->context), l->name.bucket, l->name.key);
    struct version v;
    if (!m || m->kind != META_FILE || m->size_bytes == 0)
        return;
    l->request.expects_whole = m->size_bytes <= l->request.length;
    l->known = *m;
    lookup_version(l->s3, &l->name, m, l->agent->block_bytes, &v);
    struct span ready;
    CLEANUP_CLOSE int part = blocks_peek(&v, 0, 0, &ready);
    if (part >= 0 || store_has(l->agent->store, &v, 0))
        l->request.if_none_match = l->known.etag;
}

/* All steps share one deadline; the last still gets a second. */
static int64_t time_left(const struct lookup *l)
{
    int64_t left = l->agent->deadline_ms - (clock_monotonic_ms() - l->started_ms);
    return left > 1000 ? left : 1000;
}

int lookup_ask(struct lookup *l)
{
    l->entries = 0;
    l->beginning_len = 0;
    l->request = (struct s3_request){.context = l->s3,
                                     .bucket = l->name.bucket,
                                     .key = l->step == LOOKUP_STEP_PARENT ? l->parent : l->name.key,
                                     .deadline_ms = time_left(l),
                                     .urgent = atomic_load(&l->awaited),
                                     .awaited = is_awaited,
                                     .done = on_done,
                                     .user = l};
    switch (l->step) {
    case LOOKUP_STEP_HEAD:
    case LOOKUP_STEP_PARENT:
        l->request.op = S3_HEAD;
        break;
    case LOOKUP_STEP_GET:
        l->request.op = S3_GET;
        l->request.length =
            l->agent->block_bytes < LOOKUP_BEGINNING ? l->agent->block_bytes : LOOKUP_BEGINNING;
        l->request.write = on_body;
        make_conditional(l);
        break;
    case LOOKUP_STEP_LIST:
        l->request.op = S3_LIST;
        snprintf(l->parent, sizeof(l->parent), "%s%s", l->name.key, l->name.key[0] ? "/" : "");
        l->request.prefix = l->parent;
        l->request.max_keys = 1;
        l->request.entry = on_entry;
        break;
    }
    return s3_submit(l->agent->engine, &l->request);
}
