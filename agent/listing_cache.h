/* Replies to LIST, kept for as long as the job trusts what S3 said: a second walk of a tree asks S3
 * nothing. Bounded in bytes; the oldest go first. Loop thread only. */
#ifndef WARMPATH_AGENT_LISTING_CACHE_H
#define WARMPATH_AGENT_LISTING_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define LISTING_CACHE_BYTES_MAX (32u << 20)

/* The reply to this page's request, not older than `ttl_ms`, or NULL. Borrowed until the next call.
 */
const void *listing_cache_get(uint64_t context, const char *bucket, const char *prefix,
                              const char *token, int64_t ttl_ms, size_t *len);

/* Copies the reply. */
void listing_cache_put(uint64_t context, const char *bucket, const char *prefix, const char *token,
                       const void *reply, size_t len);

/* What is kept, in bytes. */
size_t listing_cache_bytes(void);

#endif
