/* What is known of names in S3: sizes, versions, directories, absences. For each credential context
 * apart, because S3 decides who may know. Bounded; the oldest knowledge goes first. Loop thread
 * only. */
#ifndef WARMPATH_AGENT_META_H
#define WARMPATH_AGENT_META_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"

enum meta_kind { META_NONE, META_FILE, META_DIR };

struct meta {
    enum meta_kind kind;
    bool not_object;     /* META_DIR: a HEAD found no object of the same name */
    bool not_below_file; /* META_NONE: its parent was seen not to be a file */
    uint64_t size_bytes; /* META_FILE */
    int64_t mtime_s;     /* META_FILE */
    char etag[WIRE_ETAG_MAX];
    int64_t learned_ms;  /* monotonic */
    int64_t readable_ms; /* S3 last let this context read it; 0: never */
};

/* What is known, however old, or NULL. Borrowed until the next meta_put(). */
const struct meta *meta_find(uint64_t context, const char *bucket, const char *key);

/* Remembers; stamps learned_ms, and readable_ms where `readable`. A FILE of the same ETag keeps the
 * readable_ms that it had. */
void meta_put(uint64_t context, const char *bucket, const char *key, const struct meta *m,
              bool readable);

/* Forgets (the object was seen to have changed). */
void meta_drop(uint64_t context, const char *bucket, const char *key);

static inline bool meta_fresh(int64_t when_ms, int64_t ttl_ms, int64_t now_ms)
{
    return when_ms > 0 && now_ms - when_ms < ttl_ms;
}

#endif
