/* What is known of names in S3: sizes, versions, directories, absences. For each credential context
 * apart, because S3 decides who may know. Loop thread only.
 *
 * Bounded in bytes (META_BYTES_MAX, about 200,000 names of usual length): the oldest knowledge goes
 * first, but what was asked for since it was learned, or since it was last spared, is spared once
 * more (second chance). So a walk of millions of names pushes out its own, not those in use. What
 * was pushed out is asked for again; nothing depends on it. */
#ifndef WARMPATH_AGENT_META_H
#define WARMPATH_AGENT_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define META_BYTES_MAX (48u << 20)

enum meta_kind { META_NONE, META_FILE, META_DIR };

struct meta {
    enum meta_kind kind;
    bool not_object;     /* META_DIR: a HEAD found no object of the same name */
    bool not_below_file; /* META_NONE: its parent was seen not to be a file */
    uint64_t size_bytes; /* META_FILE */
    int64_t mtime_s;     /* META_FILE */
    int64_t learned_ms;  /* monotonic */
    int64_t readable_ms; /* S3 last let this context read it; 0: never */
    char etag[WIRE_ETAG_MAX];
};

struct meta_numbers {
    size_t names, bytes;
};

/* What is known, however old, or NULL. Borrowed until the next call of any function here. */
const struct meta *meta_find(uint64_t context, const char *bucket, const char *key);

/* Remembers; stamps learned_ms, and readable_ms where `readable`. A FILE of the same ETag keeps the
 * readable_ms that it had. */
void meta_put(uint64_t context, const char *bucket, const char *key, const struct meta *m,
              bool readable);

/* Forgets (the object was seen to have changed). */
void meta_drop(uint64_t context, const char *bucket, const char *key);

void meta_numbers(struct meta_numbers *out);

static inline bool meta_fresh(int64_t when_ms, int64_t ttl_ms, int64_t now_ms)
{
    return when_ms > 0 && now_ms - when_ms < ttl_ms;
}

#endif
