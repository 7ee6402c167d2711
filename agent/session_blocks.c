/* The BLOCKS request: is the job allowed, is the first block here, which others go along? HELD,
 * which asks for no more than what is here. And WANT, a hint. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/hints.h"
#include "agent/session_internal.h"
#include "common/options.h"

#define HELD_LOOKS_MOST 512 /* blocks that one request looks for; then others have their turn */

void conn_count_block(struct conn *c, const struct version *v, uint64_t index, bool was_stored)
{
    uint32_t len = version_block_len(v, index);
    if (was_stored && blocks_was_ahead(v, index))
        was_stored = false;
    job_count(c->job, was_stored ? COUNTER_store_hit_blocks : COUNTER_store_miss_blocks, 1);
    job_count(c->job, was_stored ? COUNTER_store_hit_bytes : COUNTER_store_miss_bytes, len);
}

/* What may be read of the first block; the others are complete. One in memory is said to be
 * incomplete, with all of it there. */
struct first_block {
    struct span ready;
    bool complete;
};

static void reply_blocks(struct conn *c, const int *fds, int n, const struct first_block *first)
{
    uint8_t body[64];
    struct wire_buf b = wire_buf(body, sizeof(body));
    conn_put_status(&b, 0, "");
    wire_put_u32(&b, (uint32_t)n);
    wire_put_u32(&b, first->ready.from);
    wire_put_u32(&b, first->ready.to);
    wire_put_u8(&b, first->complete);
    conn_reply(c, body, (size_t)(b.at - body), fds, n);
}

/* Not to be mapped by who only reads it, nor along with others: that pins the memory. */
static bool is_in_memory(struct conn *c, uint64_t index)
{
    struct store_place place = {c->version.id, index};
    return store_keeps_in_memory(c->agent->store, &place);
}

/* Adds the stored blocks that follow without a gap. */
static int add_stored(struct conn *c, int *fds, int n)
{
    uint64_t blocks = version_blocks(&c->version);
    while (n < (int)c->at_most && c->first + (uint64_t)n < blocks) {
        if (n > 0 && is_in_memory(c, c->first + (uint64_t)n))
            break;
        fds[n] = store_get(c->agent->store, &c->version, c->first + (uint64_t)n);
        if (fds[n] < 0)
            break;
        if (n > 0 || !c->goes_on)
            conn_count_block(c, &c->version, c->first + (uint64_t)n, true);
        n++;
    }
    return n;
}

static void on_fetched(struct block_waiter *w, const struct block_result *r)
{
    struct conn *c = conn_of(w, block);
    int fds[WIRE_MAX_FDS];
    if (r->error) {
        conn_reply_error(c, r->error, r->why);
        return;
    }
    fds[0] = r->fd;
    if (!c->goes_on)
        conn_count_block(c, &c->version, c->first, false);
    int n = r->complete ? add_stored(c, fds, 1) : 1;
    struct first_block first = {r->ready, r->complete};
    reply_blocks(c, fds, n, &first);
    if (r->complete)
        blocks_given(&c->version, c->first, (uint64_t)n, &c->block);
    while (n > 1)
        close(fds[--n]);
}

static void serve(struct conn *c)
{
    int fds[WIRE_MAX_FDS];
    bool copied = !c->block.maps && is_in_memory(c, c->first);
    if (copied)
        c->at_most = 1;
    int n = add_stored(c, fds, 0);
    c->block.context = c->context;
    c->block.job = c->job;
    if (n > 0) {
        struct first_block first = {{0, version_block_len(&c->version, c->first)}, !copied};
        reply_blocks(c, fds, n, &first);
        for (int i = 0; n > 1 && i < n; i++)
            store_read_ahead(c->agent->store, fds[i]);
        blocks_ahead(c->agent, &c->version, c->first, (uint64_t)n, &c->block);
        while (n > 0)
            close(fds[--n]);
        return;
    }
    c->block.wake = on_fetched;
    blocks_fetch(c->agent, &c->version, c->first, &c->block);
}

/* Absent blocks cost a look, too: a long range is gone through in several requests. */
static void serve_held(struct conn *c)
{
    int fds[WIRE_MAX_FDS];
    uint64_t held[WIRE_MAX_FDS];
    uint64_t stop = version_blocks(&c->version), index = c->first;
    uint32_t n = 0;
    if (stop - index > c->at_most)
        stop = index + c->at_most;
    for (; index < stop && n < WIRE_MAX_FDS; index++) {
        if (is_in_memory(c, index))
            continue; /* a map pins no more of these than is touched */
        fds[n] = store_get(c->agent->store, &c->version, index);
        if (fds[n] < 0)
            continue;
        conn_count_block(c, &c->version, index, true);
        held[n++] = index;
    }
    uint8_t body[64 + sizeof(held)];
    struct wire_buf b = wire_buf(body, sizeof(body));
    conn_put_status(&b, 0, "");
    wire_put_u64(&b, index);
    wire_put_u32(&b, n);
    for (uint32_t i = 0; i < n; i++)
        wire_put_u64(&b, held[i]);
    conn_reply(c, body, (size_t)(b.at - body), fds, (int)n);
    while (n > 0)
        close(fds[--n]);
}

static void serve_allowed(struct conn *c)
{
    if (c->only_held)
        serve_held(c);
    else
        serve(c);
}

static void on_allowed(struct lookup_waiter *w, const struct lookup_result *r)
{
    struct conn *c = conn_of(w, lookup);
    if (r->error == -ENOENT || r->error == -ENOTDIR)
        conn_reply_error(c, -ESTALE, "the object was deleted while it was open");
    else if (r->error)
        conn_reply_error(c, r->error, r->why);
    else
        serve_allowed(c);
}

static bool was_allowed(const struct conn *c)
{
    const struct meta *m = meta_find(context_serial(c->context), c->name.bucket, c->name.key);
    return m && m->kind == META_FILE && m->readable_ms > 0;
}

/* Blocks go only to a context that S3 let read the object. Who opened it here was let through;
 * after a restart of the agent S3 is asked once more. */
static void check_allowed(struct conn *c)
{
    if (was_allowed(c)) {
        serve_allowed(c);
        return;
    }
    struct lookup_request q = {
        .context = c->context, .job = c->job, .name = &c->name, .how = LOOKUP_STAT, .ttl_ms = 0};
    c->lookup.wake = on_allowed;
    lookup_start(c->agent, &q, &c->lookup);
}

static bool get_version(struct conn *c, struct wire_buf *b)
{
    struct meta m = {.kind = META_FILE};
    struct wire_name n = wire_get_name(b);
    wire_get_text(b, m.etag, sizeof(m.etag));
    m.size_bytes = wire_get_u64(b);
    uint32_t block_bytes = wire_get_u32(b);
    if (b->bad || !option_block_size_fits(block_bytes) || n.bucket.len >= sizeof(c->name.bucket) ||
        n.key.len >= sizeof(c->name.key) || !conn_use_access(c, n.access))
        return false;
    memset(&c->name, 0, sizeof(c->name));
    memcpy(c->name.bucket, n.bucket.at, n.bucket.len);
    memcpy(c->name.key, n.key.at, n.key.len);
    c->name.style = n.style;

    int error = 0;
    char why[384];
    struct s3_context *s3 = context_s3(c->context, n.style, &error, why, sizeof(why));
    if (!s3)
        return false;
    /* A job that opened the file under an earlier agent goes on with that one's block size. */
    lookup_version(s3, &c->name, &m, block_bytes, &c->version);
    return true;
}

static uint32_t get_count(struct wire_buf *b, uint32_t most)
{
    uint32_t count = wire_get_u32(b);
    return count == 0 || count > most ? most : count;
}

/* From the first block on. */
static void start(struct conn *c, bool fine)
{
    if (!fine || c->first >= version_blocks(&c->version))
        conn_reply_error(c, -EIO, "malformed request for blocks, or credentials are gone");
    else
        check_allowed(c);
}

void session_blocks(struct conn *c, struct wire_buf *b)
{
    bool fine = get_version(c, b);
    c->only_held = false;
    c->first = wire_get_u64(b);
    c->at_most = get_count(b, WIRE_MAX_FDS);
    c->block.need.from = wire_get_u32(b);
    c->block.need.to = wire_get_u32(b);
    c->block.at = wire_get_u32(b);
    uint8_t flags = wire_get_u8(b);
    c->goes_on = flags & WIRE_BLOCKS_GOES_ON;
    c->block.maps = flags & WIRE_BLOCKS_MAPS;
    c->block.advice = flags & WIRE_BLOCKS_RANDOM       ? PREFETCH_RANDOM
                      : flags & WIRE_BLOCKS_SEQUENTIAL ? PREFETCH_SEQUENTIAL
                                                       : PREFETCH_NORMAL;
    start(c, fine && !b->bad && c->first < version_blocks(&c->version) &&
                 c->block.need.from < c->block.need.to && c->block.at >= c->block.need.from &&
                 c->block.at < c->block.need.to &&
                 c->block.need.to <= version_block_len(&c->version, c->first));
}

void session_held(struct conn *c, struct wire_buf *b)
{
    bool fine = get_version(c, b);
    c->only_held = true;
    c->first = wire_get_u64(b);
    c->at_most = get_count(b, HELD_LOOKS_MOST);
    start(c, fine && !b->bad);
}

/* Nobody waits for it, so S3 is not asked whether the job may read: it opened the file here, or has
 * the hint for nothing. */
void session_want(struct conn *c, struct wire_buf *b)
{
    bool fine = get_version(c, b);
    struct hint_range range;
    range.from = wire_get_u64(b);
    range.to = wire_get_u64(b);
    bool wanted = wire_get_u8(b);
    c->busy = false;
    if (!fine || b->bad)
        return;
    if (!wanted)
        hints_drop(&c->version, range, c->job);
    else if (was_allowed(c))
        hints_add(c->agent, &c->version, range, c->context, c->job);
}
