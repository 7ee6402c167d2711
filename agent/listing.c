#include "agent/listing.h"

#include <errno.h>
#include <stdio.h>

#include "agent/listing_cache.h"
#include "agent/s3_count.h"
#include "agent/session_internal.h"
#include "agent/siblings.h"
#include "common/alloc.h"
#include "common/log.h"

#define PAGE_ENTRIES 1000
#define HEAD_ROOM    4200 /* of a reply, for status and token */

struct seen {
    struct meta meta;
    char *key; /* until it is put on the wire, a prefix has its slash */
};

struct listing {
    struct loop_task task;
    struct conn *conn; /* NULL once it went away */
    struct agent *agent;
    struct context *context;
    struct s3_context *s3;
    struct job *job;
    struct lookup_name name;
    char *token;
    struct s3_request request;
    uint32_t max_keys;

    /* Filled on the engine's thread, read on the loop's after done. */
    struct seen *seen;
    uint32_t n_seen;
    bool too_many; /* for `seen`: more than S3 was asked for */
    uint8_t entries[WIRE_MAX_BYTES - HEAD_ROOM];
    struct wire_buf out;
};

/* S3 sends a page's objects first and its prefixes behind them; the job gets them in one order,
 * which also brings an object and a prefix of the same name together (see dirstream.c). */
static int by_key(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static void put_entry(struct listing *l, struct seen *s)
{
    bool is_dir = s->meta.kind == META_DIR;
    const char *name = s->key + strlen(l->name.key);
    wire_put_str(&l->out, name, strlen(name) - is_dir);
    wire_put_u8(&l->out, is_dir ? WIRE_DIR : WIRE_FILE);
    wire_put_u64(&l->out, s->meta.size_bytes);
    wire_put_u64(&l->out, (uint64_t)s->meta.mtime_s);
    if (is_dir) /* from here on a name like any other */
        s->key[strlen(s->key) - 1] = '\0';
}

static void on_done(struct s3_request *r)
{
    struct listing *l = r->user;
    qsort(l->seen, l->n_seen, sizeof(*l->seen), by_key);
    for (uint32_t i = 0; i < l->n_seen; i++)
        put_entry(l, &l->seen[i]);
    loop_post(l->agent->loop, &l->task);
}

/* "v1/a/b.txt" under "v1/a/" is "b.txt"; the marker "v1/a/" itself is nothing. */
static void on_entry(struct s3_request *r, const struct s3_entry *entry)
{
    struct listing *l = r->user;
    size_t prefix_len = strlen(l->name.key);
    size_t len = strlen(entry->name);
    if (len <= prefix_len || strncmp(entry->name, l->name.key, prefix_len) != 0)
        return;
    const char *name = entry->name + prefix_len;
    size_t name_len = len - prefix_len - (entry->is_prefix ? 1 : 0);
    if (name_len == 0 || memchr(name, '/', name_len) || (name_len == 1 && name[0] == '.') ||
        (name_len == 2 && memcmp(name, "..", 2) == 0))
        return; /* no file system has such names; the object can't be reached as a file */
    if (l->n_seen == PAGE_ENTRIES) {
        l->too_many = true;
        return;
    }
    struct seen *s = &l->seen[l->n_seen++];
    s->key = must_strndup(entry->name, len);
    s->meta = (struct meta){.kind = entry->is_prefix ? META_DIR : META_FILE,
                            .size_bytes = entry->is_prefix ? 0 : entry->meta.size_bytes,
                            .mtime_s = entry->is_prefix ? 0 : entry->meta.mtime_s};
    if (!entry->is_prefix)
        snprintf(s->meta.etag, sizeof(s->meta.etag), "%s", entry->meta.etag);
}

static void drop_seen(struct listing *l)
{
    for (uint32_t i = 0; i < l->n_seen; i++)
        free(l->seen[i].key);
    l->n_seen = 0;
}

static void listing_free(struct listing *l)
{
    if (l->conn)
        l->conn->listing = NULL;
    drop_seen(l);
    free(l->request.next_token);
    s3_context_unref(l->s3);
    context_unref(l->context);
    job_unref(l->job);
    free(l->seen);
    free(l->token);
    free(l);
}

static void tell_siblings(const struct listing *l)
{
    struct family *f = siblings_page(l->context, &l->name, l->token, l->request.next_token);
    for (uint32_t i = 0; f && i < l->n_seen; i++)
        if (l->seen[i].meta.kind == META_FILE)
            siblings_add(f, l->seen[i].key + strlen(l->name.key), l->seen[i].meta.size_bytes);
}

static void remember(struct listing *l)
{
    uint64_t context = context_serial(l->context);
    for (uint32_t i = 0; i < l->n_seen; i++) {
        const struct meta *known = meta_find(context, l->name.bucket, l->seen[i].key);
        /* An object and a prefix of the same name: the object is what stat shows. */
        if (l->seen[i].meta.kind == META_DIR && known && known->kind == META_FILE)
            continue;
        meta_put(context, l->name.bucket, l->seen[i].key, &l->seen[i].meta, false);
    }
    tell_siblings(l);
}

static void reply(struct listing *l)
{
    uint8_t body[WIRE_MAX_BYTES];
    struct wire_buf b = wire_buf(body, sizeof(body));
    const char *next = l->request.next_token ? l->request.next_token : "";
    conn_put_status(&b, 0, "");
    wire_put_str(&b, next, strlen(next));
    wire_put_u32(&b, l->n_seen);
    wire_put(&b, l->entries, (size_t)(l->out.at - l->entries));
    if (b.bad)
        conn_reply_error(l->conn, -EIO, "S3 sent a continuation token of more than 4096 bytes");
    else
        conn_reply(l->conn, body, (size_t)(b.at - body), NULL, 0);
    if (!b.bad)
        listing_cache_put(context_serial(l->context), l->name.bucket, l->name.key, l->token, body,
                          (size_t)(b.at - body));
}

static int submit(struct listing *l)
{
    l->out = wire_buf(l->entries, sizeof(l->entries));
    l->request = (struct s3_request){.op = S3_LIST,
                                     .context = l->s3,
                                     .bucket = l->name.bucket,
                                     .prefix = l->name.key,
                                     .token = l->token[0] ? l->token : NULL,
                                     .max_keys = l->max_keys,
                                     .deadline_ms = l->agent->deadline_ms,
                                     .entry = on_entry,
                                     .done = on_done,
                                     .user = l};
    return s3_submit(l->agent->engine, &l->request);
}

static void on_listed(struct loop_task *task)
{
    struct listing *l = (struct listing *)((char *)task - offsetof(struct listing, task));
    s3_count(l->job, &l->request);
    if (!l->conn) {
        listing_free(l);
        return;
    }
    if (l->request.result.error == 0 && l->out.bad && l->max_keys > 32) {
        /* Names so long that the page does not fit a message: ask for less. */
        drop_seen(l);
        free(l->request.next_token);
        l->max_keys /= 4;
        if (submit(l) == 0)
            return;
        l->request.result.error = -EIO;
    }
    if (l->request.result.error < 0) {
        conn_reply_error(l->conn, l->request.result.error, l->request.result.why);
    } else if (l->too_many) {
        conn_reply_error(l->conn, -EIO, "S3 sent more names on a page than it was asked for");
    } else {
        remember(l);
        reply(l);
    }
    listing_free(l);
}

void listing_start(struct conn *c, const char *token)
{
    int error = 0;
    size_t len;
    char why[384];
    const void *known = listing_cache_get(context_serial(c->context), c->name.bucket, c->name.key,
                                          token, c->ttl_ms, &len);
    if (known) {
        conn_reply(c, known, len, NULL, 0);
        return;
    }
    struct s3_context *s3 = context_s3(c->context, c->name.style, &error, why, sizeof(why));
    if (!s3) {
        conn_reply_error(c, error, why);
        return;
    }
    struct listing *l = must_calloc(1, sizeof(*l));
    l->task.run = on_listed;
    l->conn = c;
    l->agent = c->agent;
    l->context = context_ref(c->context);
    l->s3 = s3_context_ref(s3);
    l->job = c->job;
    job_ref(c->job);
    l->name = c->name;
    l->token = must_strndup(token, strlen(token));
    l->max_keys = PAGE_ENTRIES;
    l->seen = must_calloc(PAGE_ENTRIES, sizeof(*l->seen));
    c->listing = l;
    int r = submit(l);
    if (r < 0) {
        conn_reply_error(c, r, "the request to S3 could not be started");
        listing_free(l);
    }
}

void listing_cancel(struct listing *l)
{
    if (l)
        l->conn = NULL;
}
