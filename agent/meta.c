#include "agent/meta.h"

#include <stdio.h>
#include <uthash.h>

#include "common/alloc.h"
#include "common/clock.h"

/* What uthash and malloc need for each, beside the entry's own bytes. */
#define OVERHEAD_BYTES 40
#define SPARED_AT_ONCE 64 /* then one goes, used or not */

/* A struct meta without the room that its ETag doesn't need. */
struct entry {
    UT_hash_handle hh;
    uint64_t size_bytes;
    int64_t mtime_s, learned_ms, readable_ms;
    uint16_t name_len, etag_len;
    uint8_t kind;
    bool not_object, not_below_file;
    bool used;    /* since it was learned or spared */
    char bytes[]; /* the name (context, bucket, slash, key), then the ETag; no zeros behind them */
};

struct name {
    char bytes[sizeof(uint64_t) + 256 + 1 + WIRE_KEY_MAX + 1];
    uint16_t len;
};

static struct entry *entries; /* uthash keeps the order of insertion: the head is the oldest */
static size_t bytes_kept;

static void make_name(struct name *n, uint64_t context, const char *bucket, const char *key)
{
    memcpy(n->bytes, &context, sizeof(context));
    int len = snprintf(n->bytes + sizeof(context), sizeof(n->bytes) - sizeof(context), "%s/%s",
                       bucket, key);
    n->len = (uint16_t)((int)sizeof(context) + len);
}

static struct entry *find(const struct name *n)
{
    struct entry *e;
    HASH_FIND(hh, entries, n->bytes, n->len, e);
    return e;
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof(*e) + e->name_len + e->etag_len;
}

static void drop(struct entry *e)
{
    HASH_DEL(entries, e);
    bytes_kept -= entry_bytes(e) + OVERHEAD_BYTES;
    free(e);
}

static void add(struct entry *e)
{
    HASH_ADD_KEYPTR(hh, entries, e->bytes, e->name_len, e);
}

const struct meta *meta_find(uint64_t context, const char *bucket, const char *key)
{
    static struct meta found;
    struct name n;
    make_name(&n, context, bucket, key);
    struct entry *e = find(&n);
    if (!e)
        return NULL;
    e->used = true;
    found = (struct meta){.kind = e->kind,
                          .not_object = e->not_object,
                          .not_below_file = e->not_below_file,
                          .size_bytes = e->size_bytes,
                          .mtime_s = e->mtime_s,
                          .learned_ms = e->learned_ms,
                          .readable_ms = e->readable_ms};
    memcpy(found.etag, e->bytes + e->name_len, e->etag_len);
    return &found;
}

static bool has_etag(const struct entry *e, const char *etag)
{
    return strlen(etag) == e->etag_len && memcmp(e->bytes + e->name_len, etag, e->etag_len) == 0;
}

static void make_room(void)
{
    for (int spared = 0; bytes_kept > META_BYTES_MAX && spared < SPARED_AT_ONCE; spared++) {
        struct entry *oldest = entries;
        if (!oldest->used || spared == SPARED_AT_ONCE - 1) {
            drop(oldest);
            continue;
        }
        oldest->used = false;
        HASH_DEL(entries, oldest);
        add(oldest);
    }
}

void meta_put(uint64_t context, const char *bucket, const char *key, const struct meta *m,
              bool readable)
{
    struct name n;
    make_name(&n, context, bucket, key);
    int64_t now = clock_monotonic_ms();
    int64_t readable_ms = readable ? now : 0;
    bool used = false;
    struct entry *old = find(&n);
    if (old && !readable && old->kind == META_FILE && has_etag(old, m->etag))
        readable_ms = old->readable_ms;
    if (old) {
        used = old->used;
        drop(old);
    }

    size_t etag_len = strnlen(m->etag, sizeof(m->etag) - 1);
    struct entry *e = must_calloc(1, sizeof(*e) + n.len + etag_len);
    e->size_bytes = m->size_bytes;
    e->mtime_s = m->mtime_s;
    e->learned_ms = now;
    e->readable_ms = readable_ms;
    e->name_len = n.len;
    e->etag_len = (uint16_t)etag_len;
    e->kind = (uint8_t)m->kind;
    e->not_object = m->not_object;
    e->not_below_file = m->not_below_file;
    e->used = used;
    memcpy(e->bytes, n.bytes, n.len);
    memcpy(e->bytes + n.len, m->etag, etag_len);
    add(e);
    bytes_kept += entry_bytes(e) + OVERHEAD_BYTES;
    make_room();
}

void meta_drop(uint64_t context, const char *bucket, const char *key)
{
    struct name n;
    make_name(&n, context, bucket, key);
    struct entry *e = find(&n);
    if (e)
        drop(e);
}

void meta_numbers(struct meta_numbers *out)
{
    *out = (struct meta_numbers){.names = HASH_COUNT(entries), .bytes = bytes_kept};
}
