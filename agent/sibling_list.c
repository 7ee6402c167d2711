#include "agent/sibling_list.h"

#include "agent/s3_count.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"

#define PAGE_ENTRIES 1000

struct seen {
    struct meta meta;
    char *key;
};

struct sibling_list {
    struct loop_task task;
    struct guess_order order;
    struct lookup_name name;
    struct s3_context *s3;
    struct s3_request request;
    char *start_after, *token;
    void (*ended)(const struct guess_order *order, bool fine);

    /* Filled on the engine's thread, read on the loop's after done. */
    struct seen seen[PAGE_ENTRIES];
    uint32_t n_seen;
};

static void list_free(struct sibling_list *l)
{
    for (uint32_t i = 0; i < l->n_seen; i++)
        free(l->seen[i].key);
    free(l->request.next_token);
    free(l->start_after);
    free(l->token);
    s3_context_unref(l->s3);
    context_unref(l->order.context);
    job_unref(l->order.job);
    free(l);
}

static void on_entry(struct s3_request *r, const struct s3_entry *entry)
{
    struct sibling_list *l = r->user;
    size_t prefix_len = strlen(l->name.key);
    const char *name = entry->name + prefix_len;
    if (entry->is_prefix || strncmp(entry->name, l->name.key, prefix_len) != 0 || !*name ||
        strchr(name, '/') || l->n_seen == PAGE_ENTRIES)
        return;
    struct seen *s = &l->seen[l->n_seen++];
    s->key = must_strndup(entry->name, strlen(entry->name));
    s->meta = (struct meta){
        .kind = META_FILE, .size_bytes = entry->meta.size_bytes, .mtime_s = entry->meta.mtime_s};
    snprintf(s->meta.etag, sizeof(s->meta.etag), "%s", entry->meta.etag);
}

static void on_done(struct s3_request *r)
{
    struct sibling_list *l = r->user;
    loop_post(l->order.agent->loop, &l->task);
}

/* Those that were opened meanwhile are known better. */
static void remember(struct sibling_list *l)
{
    uint64_t context = context_serial(l->order.context);
    struct family *f =
        siblings_page(l->order.context, &l->name, l->token ? l->token : "", l->request.next_token);
    for (uint32_t i = 0; i < l->n_seen; i++) {
        const struct seen *s = &l->seen[i];
        const struct meta *known = meta_find(context, l->name.bucket, s->key);
        if (!known || !meta_fresh(known->learned_ms, l->order.ttl_ms, clock_monotonic_ms()))
            meta_put(context, l->name.bucket, s->key, &s->meta, false);
        if (f)
            siblings_add(f, s->key + strlen(l->name.key), s->meta.size_bytes);
    }
}

static void on_listed(struct loop_task *task)
{
    struct sibling_list *l =
        (struct sibling_list *)(void *)((char *)task - offsetof(struct sibling_list, task));
    const struct s3_result *result = &l->request.result;
    s3_count(l->order.job, &l->request);
    if (result->error)
        log_info("siblings", "ahead: %s", result->why);
    else
        remember(l);
    l->ended(&l->order, result->error == 0);
    list_free(l);
}

void sibling_list_start(const struct guess_order *order, const char *start_after, const char *token,
                        void (*ended)(const struct guess_order *order, bool fine))
{
    int error;
    char why[384];
    struct s3_context *s3 =
        context_s3(order->context, order->name->style, &error, why, sizeof(why));
    if (!s3) {
        ended(order, false);
        return;
    }
    struct sibling_list *l = must_calloc(1, sizeof(*l));
    l->task.run = on_listed;
    l->order = *order;
    l->name = *order->name;
    l->order.name = &l->name;
    l->s3 = s3_context_ref(s3);
    l->ended = ended;
    context_ref(l->order.context);
    job_ref(l->order.job);
    if (start_after)
        l->start_after = must_strndup(start_after, strlen(start_after));
    if (token)
        l->token = must_strndup(token, strlen(token));
    l->request = (struct s3_request){.op = S3_LIST,
                                     .context = l->s3,
                                     .bucket = l->name.bucket,
                                     .prefix = l->name.key,
                                     .token = l->token,
                                     .start_after = l->start_after,
                                     .max_keys = PAGE_ENTRIES,
                                     .deadline_ms = order->agent->deadline_ms,
                                     .entry = on_entry,
                                     .done = on_done,
                                     .user = l};
    if (s3_submit(order->agent->engine, &l->request) == 0)
        return;
    ended(order, false);
    list_free(l);
}
