#include "agent/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "agent/blocks.h"
#include "agent/cluster.h"
#include "agent/lookup_ask.h"
#include "agent/lookup_known.h"
#include "agent/pinned.h"
#include "agent/s3_count.h"
#include "agent/store/buffer.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"

static struct lookup *lookups;

static void step_start(struct lookup *l, enum lookup_step step);

/* --- ending -------------------------------------------------------------------- */

static void finish(struct lookup *l, const struct lookup_result *r)
{
    HASH_DEL(lookups, l);
    struct lookup_waiter *w;
    while ((w = l->waiters)) {
        DL_DELETE(l->waiters, w);
        w->lookup = NULL;
        w->wake(w, r);
    }
    if (l->block_fd >= 0)
        close(l->block_fd);
    if (l->seed)
        partial_free(l->seed);
    buffer_give(l->beginning);
    s3_context_unref(l->s3);
    context_unref(l->context);
    job_unref(l->job);
    free(l);
}

static void finish_error(struct lookup *l, int error, const char *why)
{
    struct lookup_result r = {.error = error, .why = why, .block_fd = -1};
    finish(l, &r);
}

static void finish_found(struct lookup *l, const struct meta *m, bool readable)
{
    meta_put(context_serial(l->context), l->name.bucket, l->name.key, m, readable);
    struct lookup_result r = {.why = "", .meta = *m, .block_fd = l->block_fd};
    finish(l, &r);
}

static void finish_none(struct lookup *l, bool below_file)
{
    struct meta m = {.kind = META_NONE, .not_below_file = !below_file};
    meta_put(context_serial(l->context), l->name.bucket, l->name.key, &m, false);
    finish_error(l, below_file ? -ENOTDIR : -ENOENT, "");
}

/* --- what each step's answer means ---------------------------------------------- */

static void on_absent(struct lookup *l)
{
    struct meta directory = {.kind = META_DIR, .not_object = true};
    if (l->is_prefix)
        finish_found(l, &directory, false);
    else if (l->list_came_first)
        step_start(l, LOOKUP_STEP_PARENT);
    else
        step_start(l, LOOKUP_STEP_LIST);
}

/* The beginning of a larger object becomes a part of its first block. */
static void keep_beginning(struct lookup *l, const struct meta *m)
{
    struct version v;
    if (!l->seed)
        return;
    lookup_version(l->s3, &l->name, m, l->agent->block_bytes, &v);
    blocks_plant(l->agent, &v, 0, take_ptr(l->seed), l->context, l->job);
}

static void pin_version(struct lookup *l, const struct meta *m)
{
    struct version v;
    if (!*l->request.meta.version_id)
        return;
    lookup_version(l->s3, &l->name, m, l->agent->block_bytes, &v);
    pinned_put(&v.id, l->request.meta.version_id);
}

static void on_object(struct lookup *l)
{
    const struct s3_result *result = &l->request.result;
    struct meta m;
    if (result->http_status == 304) {
        m = l->known;
        finish_found(l, &m, true);
    } else if (result->http_status == 416) {
        /* Nothing at offset 0: an empty object. */
        step_start(l, LOOKUP_STEP_HEAD);
    } else {
        lookup_file_meta(&l->request.meta, &m);
        pin_version(l, &m);
        keep_beginning(l, &m);
        finish_found(l, &m, true);
    }
}

static void on_list(struct lookup *l)
{
    bool exists = l->entries > 0 || l->name.key[0] == '\0';
    if (exists && (!l->list_came_first || l->not_object || l->name.key[0] == '\0')) {
        struct meta m = {.kind = META_DIR, .not_object = true};
        finish_found(l, &m, false);
    } else if (l->list_came_first) {
        l->is_prefix = exists;
        step_start(l, LOOKUP_STEP_HEAD); /* an object of the same name is what counts */
    } else {
        step_start(l, LOOKUP_STEP_PARENT);
    }
}

static void on_parent(struct lookup *l)
{
    struct meta m;
    if (l->request.result.error == 0) {
        lookup_file_meta(&l->request.meta, &m);
        meta_put(context_serial(l->context), l->name.bucket, l->parent, &m, true);
        finish_none(l, true);
    } else {
        finish_none(l, false);
    }
}

/* The sentence, out of what finish() frees. */
static const char *keep_why(const struct s3_result *result, char *why)
{
    memcpy(why, result->why, sizeof(result->why));
    return why;
}

static void on_answer(struct loop_task *task)
{
    struct lookup *l = (struct lookup *)((char *)task - offsetof(struct lookup, task));
    const struct s3_result *result = &l->request.result;
    char why[sizeof(result->why)];
    s3_count(l->job, &l->request);
    free(l->request.next_token);
    l->request.next_token = NULL;
    if (l->step == LOOKUP_STEP_PARENT) {
        on_parent(l);
    } else if (result->error == -ENOENT && l->step != LOOKUP_STEP_LIST) {
        on_absent(l);
    } else if (result->error == -ENOENT) {
        finish_error(l, -ENOENT, keep_why(result, why)); /* there is no such bucket */
    } else if (result->error < 0) {
        finish_error(l, result->error, keep_why(result, why));
    } else if (l->step == LOOKUP_STEP_LIST) {
        on_list(l);
    } else {
        on_object(l);
    }
}

/* --- starting ------------------------------------------------------------------- */

static void step_start(struct lookup *l, enum lookup_step step)
{
    bool is_file;
    l->step = step;
    if (step == LOOKUP_STEP_PARENT &&
        lookup_parent_known(l->context, &l->name, l->parent, &is_file)) {
        finish_none(l, is_file);
        return;
    }
    int r = lookup_ask(l);
    if (r < 0)
        finish_error(l, r, "the request to S3 could not be started");
}

static enum lookup_step first_step(const struct agent *a, const struct lookup_request *q,
                                   const struct meta *known)
{
    if (q->name->key[0] == '\0')
        return LOOKUP_STEP_LIST;
    if (q->want_directory && !(known && known->kind == META_FILE))
        return LOOKUP_STEP_LIST;
    if (known && known->kind == META_DIR)
        return LOOKUP_STEP_LIST;
    /* Where another node may have the block, S3 is asked about it, not for it. */
    return q->how == LOOKUP_OPEN && !cluster_shares(a) ? LOOKUP_STEP_GET : LOOKUP_STEP_HEAD;
}

static size_t make_id(const struct lookup_request *q, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%llu %d %d %s/%s",
                            (unsigned long long)context_serial(q->context), (int)q->how,
                            (int)q->want_directory, q->name->bucket, q->name->key);
}

void lookup_start(struct agent *a, const struct lookup_request *q, struct lookup_waiter *w)
{
    const struct meta *known = meta_find(context_serial(q->context), q->name->bucket, q->name->key);
    w->lookup = NULL;
    if (lookup_answer_known(q, known, w))
        return;

    char id[WIRE_KEY_MAX + 512], why[384];
    size_t id_len = make_id(q, id, sizeof(id));
    struct lookup *l;
    HASH_FIND(hh, lookups, id, id_len, l);
    if (l) {
        if (!q->ahead)
            atomic_store(&l->awaited, true);
        w->lookup = l;
        DL_APPEND(l->waiters, w);
        return;
    }
    int error = 0;
    struct s3_context *s3 = context_s3(q->context, q->name->style, &error, why, sizeof(why));
    if (!s3) {
        struct lookup_result r = {.error = error, .why = why, .block_fd = -1};
        w->wake(w, &r);
        return;
    }
    l = must_calloc(1, sizeof(*l) + id_len);
    l->task.run = on_answer;
    l->agent = a;
    l->started_ms = clock_monotonic_ms();
    atomic_init(&l->awaited, !q->ahead);
    l->context = context_ref(q->context);
    l->s3 = s3_context_ref(s3);
    l->job = q->job;
    job_ref(q->job);
    l->name = *q->name;
    l->block_fd = -1;
    l->id_len = id_len;
    memcpy(l->id, id, id_len);
    HASH_ADD_KEYPTR(hh, lookups, l->id, l->id_len, l);
    w->lookup = l;
    DL_APPEND(l->waiters, w);
    enum lookup_step step = first_step(a, q, known);
    l->not_object = known && known->not_object &&
                    meta_fresh(known->learned_ms, q->ttl_ms, clock_monotonic_ms());
    l->list_came_first = step == LOOKUP_STEP_LIST;
    step_start(l, step);
}

void lookup_cancel(struct lookup_waiter *w)
{
    if (!w->lookup)
        return;
    DL_DELETE(w->lookup->waiters, w);
    w->lookup = NULL;
}
