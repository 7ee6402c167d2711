#include "agent/listing_cache.h"

#include <stdio.h>
#include <uthash.h>

#include "agent/meta.h"
#include "common/alloc.h"
#include "common/clock.h"

#define NAME_MAX_BYTES 8192 /* context, bucket, prefix and the longest token */

struct page {
    UT_hash_handle hh;
    int64_t learned_ms;
    size_t len;
    size_t name_len;
    char bytes[]; /* the name, then the reply */
};

static struct page *pages;
static size_t bytes_kept;

static size_t make_name(char *out, uint64_t context, const char *bucket, const char *prefix,
                        const char *token)
{
    int n = snprintf(out, NAME_MAX_BYTES, "%llu/%s/%s\n%s", (unsigned long long)context, bucket,
                     prefix, token);
    return n > 0 && n < NAME_MAX_BYTES ? (size_t)n : 0;
}

static struct page *find(const char *name, size_t name_len)
{
    struct page *p;
    HASH_FIND(hh, pages, name, name_len, p);
    return p;
}

static void drop(struct page *p)
{
    HASH_DEL(pages, p);
    bytes_kept -= sizeof(*p) + p->name_len + p->len;
    free(p);
}

const void *listing_cache_get(uint64_t context, const char *bucket, const char *prefix,
                              const char *token, int64_t ttl_ms, size_t *len)
{
    char name[NAME_MAX_BYTES];
    struct page *p = find(name, make_name(name, context, bucket, prefix, token));
    if (!p || !meta_fresh(p->learned_ms, ttl_ms, clock_monotonic_ms()))
        return NULL;
    *len = p->len;
    return p->bytes + p->name_len;
}

void listing_cache_put(uint64_t context, const char *bucket, const char *prefix, const char *token,
                       const void *reply, size_t len)
{
    char name[NAME_MAX_BYTES];
    size_t name_len = make_name(name, context, bucket, prefix, token);
    if (name_len == 0)
        return;
    struct page *old = find(name, name_len);
    if (old)
        drop(old);
    struct page *p = must_calloc(1, sizeof(*p) + name_len + len);
    p->learned_ms = clock_monotonic_ms();
    p->len = len;
    p->name_len = name_len;
    memcpy(p->bytes, name, name_len);
    memcpy(p->bytes + name_len, reply, len);
    HASH_ADD_KEYPTR(hh, pages, p->bytes, p->name_len, p);
    bytes_kept += sizeof(*p) + name_len + len;
    while (bytes_kept > LISTING_CACHE_BYTES_MAX)
        drop(pages);
}

size_t listing_cache_bytes(void)
{
    return bytes_kept;
}
