#include "agent/version.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void version_name(struct version *v, const char *endpoint)
{
    char text[4096];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    /* A newline ends each field: neither endpoints, buckets, ETags nor numbers hold one, and
     * the key, which may, comes last. */
    int len = snprintf(text, sizeof(text), "%.1023s\n%s\n%s\n%llu\n%u\n%s", endpoint, v->bucket,
                       v->etag, (unsigned long long)v->size_bytes, v->block_bytes, v->key);
    SHA256((const unsigned char *)text, (size_t)len, digest);
    memcpy(v->id.bytes, digest, sizeof(v->id.bytes));
}
