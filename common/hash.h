/* FNV-1a, 64 bits: names for inodes and sockets, where speed and adversaries don't matter.
 * Source: Fowler, Noll, Vo; RFC 9923. */
#ifndef WARMPATH_HASH_H
#define WARMPATH_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325ull ^ seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3ull;
    return h;
}

/* The inode number of an object or directory: stable over versions, processes and nodes. */
static inline uint64_t hash_inode(const char *bucket, size_t bucket_len, const char *key,
                                  size_t key_len)
{
    uint64_t h = hash_bytes(key, key_len, hash_bytes(bucket, bucket_len, 0));
    return h ? h : 1;
}

#endif
