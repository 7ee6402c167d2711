#include "agent/store/version.h"

#include <stdio.h>
#include <string.h>

#include "common/sha256.h"

void version_name(struct version *v, const char *endpoint)
{
    char text[4096];
    uint8_t digest[SHA256_BYTES];
    /* A newline ends each field: neither endpoints, buckets, ETags nor numbers hold one, and
     * the key, which may, comes last. */
    int len = snprintf(text, sizeof(text), "%.1023s\n%s\n%s\n%llu\n%u\n%s", endpoint, v->bucket,
                       v->etag, (unsigned long long)v->size_bytes, v->block_bytes, v->key);
    sha256(text, (size_t)len, digest);
    memcpy(v->id.bytes, digest, sizeof(v->id.bytes));
}
