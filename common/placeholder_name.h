/* How a placeholder's name tells what it stands for: `warmpath:STYLE:SIZE:MTIME:ETAG:BUCKET/KEY`.
 * The kernel shows it as the target of /proc/self/fd/N. Where that does not fit the kernel's limit,
 * a hash of BUCKET/KEY takes its place (preload/longname.h). */
#ifndef WARMPATH_PLACEHOLDER_NAME_H
#define WARMPATH_PLACEHOLDER_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/hash.h"

#define PLACEHOLDER_NAME_MAX   249
#define PLACEHOLDER_HASH_CHARS 16
#define PLACEHOLDER_LINK       "/memfd:warmpath:" /* what readlink shows begins so */

static inline void placeholder_hash(char out[PLACEHOLDER_HASH_CHARS + 1], const char *bucket,
                                    const char *key)
{
    snprintf(out, PLACEHOLDER_HASH_CHARS + 1, "%016llx",
             (unsigned long long)hash_inode(bucket, strlen(bucket), key, strlen(key)));
}

/* True: the whole name. False: it is too long, the hash stands for its end. */
static inline bool placeholder_name(char out[PLACEHOLDER_NAME_MAX + 1], unsigned style,
                                    uint64_t size_bytes, int64_t mtime_s, const char *etag,
                                    const char *bucket, const char *key)
{
    char hash[PLACEHOLDER_HASH_CHARS + 1];
    int head = snprintf(out, PLACEHOLDER_NAME_MAX + 1, "warmpath:%u:%llu:%lld:%s:", style,
                        (unsigned long long)size_bytes, (long long)mtime_s, etag);
    size_t rest = head < PLACEHOLDER_NAME_MAX ? (size_t)(PLACEHOLDER_NAME_MAX - head) : 0;
    if (rest < PLACEHOLDER_HASH_CHARS)
        return false; /* no ETag is so long */
    if (strlen(bucket) + 1 + strlen(key) <= rest) {
        snprintf(out + head, rest + 1, "%s/%s", bucket, key);
        return true;
    }
    placeholder_hash(hash, bucket, key);
    snprintf(out + head, rest + 1, "%s", hash);
    return false;
}

#endif
