/* How a placeholder's name tells what it stands for: `warmpath:STYLE:SIZE:MTIME:ETAG:BUCKET/KEY`.
 * The kernel shows it as the target of /proc/self/fd/N. A name that does not fit the kernel's limit
 * ends after ETAG, and the file can then not be taken over by a child. */
#ifndef WARMPATH_PLACEHOLDER_NAME_H
#define WARMPATH_PLACEHOLDER_NAME_H

#include <stdint.h>
#include <stdio.h>

#define PLACEHOLDER_NAME_MAX 249
#define PLACEHOLDER_LINK     "/memfd:warmpath:" /* what readlink shows begins so */

static inline void placeholder_name(char out[PLACEHOLDER_NAME_MAX + 1], unsigned style,
                                    uint64_t size_bytes, int64_t mtime_s, const char *etag,
                                    const char *bucket, const char *key)
{
    int n = snprintf(out, PLACEHOLDER_NAME_MAX + 1, "warmpath:%u:%llu:%lld:%s:%s/%s", style,
                     (unsigned long long)size_bytes, (long long)mtime_s, etag, bucket, key);
    if (n > PLACEHOLDER_NAME_MAX)
        snprintf(out, PLACEHOLDER_NAME_MAX + 1, "warmpath:%u:%llu:%lld:%s:", style,
                 (unsigned long long)size_bytes, (long long)mtime_s, etag);
}

#endif
