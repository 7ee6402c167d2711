/* The STAT and OPEN requests: what is it, and for a file that is opened its placeholder and what is
 * here of its first block. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/cluster.h"
#include "agent/placeholder.h"
#include "agent/session_internal.h"
#include "agent/shards.h"
#include "agent/siblings.h"
#include "common/cleanup.h"

static void put_meta(struct wire_buf *b, const struct meta *m)
{
    conn_put_status(b, 0, "");
    wire_put_u8(b, m->kind == META_FILE ? WIRE_FILE : WIRE_DIR);
    wire_put_u64(b, m->size_bytes);
    wire_put_u64(b, (uint64_t)m->mtime_s);
}

static void reply_stat(struct lookup_waiter *w, const struct lookup_result *r)
{
    struct conn *c = conn_of(w, lookup);
    uint8_t body[64];
    struct wire_buf b = wire_buf(body, sizeof(body));
    if (r->error) {
        conn_reply_error(c, r->error, r->why);
        return;
    }
    put_meta(&b, &r->meta);
    conn_reply(c, body, (size_t)(b.at - body), NULL, 0);
}

/* The first block with the open, or what is here of it, so that a small file costs one round trip.
 * A descriptor, the caller's, or -1. */
static int first_block(struct conn *c, const struct version *v, int fetched_fd, struct span *ready,
                       bool *complete)
{
    *ready = (struct span){0, 0};
    *complete = false;
    if ((c->flags & WIRE_OPEN_NO_BLOCK) || v->size_bytes == 0)
        return -1;
    int fd =
        fetched_fd >= 0 ? fcntl(fetched_fd, F_DUPFD_CLOEXEC, 0) : store_get(c->agent->store, v, 0);
    if (fd < 0) {
        fd = blocks_peek(v, 0, 0, ready);
        fetched_fd = fd;
    } else {
        *ready = (struct span){0, version_block_len(v, 0)};
        *complete = !store_is_memory(c->agent->store, fd);
    }
    if (fd < 0)
        return -1;
    conn_count_block(c, v, 0, fetched_fd < 0);
    return fd;
}

static void tell_who_looks_ahead(struct conn *c, const struct version *v)
{
    struct guess_order opened = {.agent = c->agent,
                                 .context = c->context,
                                 .job = c->job,
                                 .name = &c->name,
                                 .ttl_ms = c->ttl_ms};
    siblings_file_opened(&opened, c->asked);
    shards_file_opened(&opened, v);
}

static void reply_open(struct lookup_waiter *w, const struct lookup_result *r)
{
    struct conn *c = conn_of(w, lookup);
    uint8_t body[512];
    struct wire_buf b = wire_buf(body, sizeof(body));
    if (r->error) {
        conn_reply_error(c, r->error, r->why);
        return;
    }
    put_meta(&b, &r->meta);
    wire_put_str(&b, r->meta.etag, strlen(r->meta.etag));
    wire_put_u32(&b, c->agent->block_bytes);
    if (r->meta.kind == META_DIR) {
        conn_reply(c, body, (size_t)(b.at - body), NULL, 0);
        return;
    }
    struct version v;
    int error = 0;
    char why[384];
    struct s3_context *s3 = context_s3(c->context, c->name.style, &error, why, sizeof(why));
    if (!s3) {
        conn_reply_error(c, error, why);
        return;
    }
    lookup_version(s3, &c->name, &r->meta, c->agent->block_bytes, &v);
    CLEANUP_CLOSE int placeholder = placeholder_open(&v, r->meta.mtime_s);
    if (placeholder < 0) {
        conn_reply_error(c, placeholder, "the agent has no descriptor left (raise ulimit -n)");
        return;
    }
    struct span ready;
    bool complete;
    cluster_opened(c->agent, &v);
    CLEANUP_CLOSE int block = first_block(c, &v, r->block_fd, &ready, &complete);
    wire_put_u32(&b, ready.from);
    wire_put_u32(&b, ready.to);
    wire_put_u8(&b, complete);
    wire_put_u32(&b, lookup_fresh_ms(c->context, &c->name, c->ttl_ms));
    int fds[2] = {placeholder, block};
    conn_reply(c, body, (size_t)(b.at - body), fds, block >= 0 ? 2 : 1);
    tell_who_looks_ahead(c, &v);
}

void session_lookup(struct conn *c, struct wire_buf *b, enum lookup_how how)
{
    if (!conn_get_name(c, b, &c->name)) {
        conn_reply_error(c, -EINVAL, "malformed request");
        return;
    }
    c->flags = how == LOOKUP_OPEN ? wire_get_u8(b) : 0;
    c->lookup.wake = how == LOOKUP_OPEN ? reply_open : reply_stat;
    struct lookup_request q = {.context = c->context,
                               .job = c->job,
                               .name = &c->name,
                               .how = how,
                               .ttl_ms = c->ttl_ms,
                               .want_directory = c->flags & WIRE_OPEN_DIRECTORY};
    c->asked = false;
    lookup_start(c->agent, &q, &c->lookup);
    c->asked = c->lookup.lookup != NULL;
}
