#include "agent/meta.h"

#include <stdio.h>
#include <uthash.h>

#include "agent/alloc.h"
#include "common/clock.h"

#define ENTRIES_MAX 200000

struct entry {
    UT_hash_handle hh;
    struct meta meta;
    uint32_t name_len;
    char name[]; /* context, bucket, zero, key */
};

struct name {
    char bytes[sizeof(uint64_t) + 256 + 1 + WIRE_KEY_MAX + 1];
    uint32_t len;
};

static struct entry *entries;

static void make_name(struct name *n, uint64_t context, const char *bucket, const char *key)
{
    memcpy(n->bytes, &context, sizeof(context));
    int len = snprintf(n->bytes + sizeof(context), sizeof(n->bytes) - sizeof(context), "%s/%s",
                       bucket, key);
    n->len = (uint32_t)sizeof(context) + (uint32_t)len;
}

static struct entry *find(const struct name *n)
{
    struct entry *e;
    HASH_FIND(hh, entries, n->bytes, n->len, e);
    return e;
}

const struct meta *meta_find(uint64_t context, const char *bucket, const char *key)
{
    struct name n;
    make_name(&n, context, bucket, key);
    struct entry *e = find(&n);
    return e ? &e->meta : NULL;
}

static void drop(struct entry *e)
{
    HASH_DEL(entries, e);
    free(e);
}

void meta_put(uint64_t context, const char *bucket, const char *key, const struct meta *m,
              bool readable)
{
    struct name n;
    make_name(&n, context, bucket, key);
    int64_t now = clock_monotonic_ms();
    int64_t readable_ms = readable ? now : 0;
    struct entry *old = find(&n);
    if (old && !readable && old->meta.kind == META_FILE && strcmp(old->meta.etag, m->etag) == 0)
        readable_ms = old->meta.readable_ms;
    if (old)
        drop(old);
    else if (HASH_COUNT(entries) >= ENTRIES_MAX)
        drop(entries); /* uthash keeps the order of insertion: the head is the oldest */

    struct entry *e = must_calloc(1, sizeof(*e) + n.len);
    e->meta = *m;
    e->meta.learned_ms = now;
    e->meta.readable_ms = readable_ms;
    e->name_len = n.len;
    memcpy(e->name, n.bytes, n.len);
    HASH_ADD_KEYPTR(hh, entries, e->name, e->name_len, e);
}

void meta_drop(uint64_t context, const char *bucket, const char *key)
{
    struct name n;
    make_name(&n, context, bucket, key);
    struct entry *e = find(&n);
    if (e)
        drop(e);
}
