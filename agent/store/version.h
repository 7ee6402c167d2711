/* Names: an object, and one immutable content of it. */
#ifndef WARMPATH_AGENT_STORE_VERSION_H
#define WARMPATH_AGENT_STORE_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"

/* 128 bits of SHA-256 over endpoint, bucket, key, ETag, size and block size: two contents
 * never share one, whoever chose their keys. */
struct version_id {
    uint8_t bytes[16];
};

/* One content of one object, with all that is needed to fetch it. Plain data, copied freely. */
struct version {
    struct version_id id;
    char bucket[256];
    char key[WIRE_KEY_MAX + 1];
    char etag[WIRE_ETAG_MAX];
    uint8_t style; /* enum map_style */
    uint64_t size_bytes;
    uint32_t block_bytes;
};

/* Sets the id from the other members. */
void version_name(struct version *v, const char *endpoint);

static inline uint64_t version_blocks(const struct version *v)
{
    return (v->size_bytes + v->block_bytes - 1) / v->block_bytes;
}

/* Length of a block in bytes; only the last may be short. */
static inline uint32_t version_block_len(const struct version *v, uint64_t index)
{
    uint64_t start = index * v->block_bytes;
    uint64_t rest = v->size_bytes - start;
    return rest < v->block_bytes ? (uint32_t)rest : v->block_bytes;
}

#endif
