/* SHA-256 and HMAC-SHA256 (RFC 2104) by OpenSSL. Its one-shot functions look the algorithm up by
 * name each time, under a lock, which takes longer than hashing what a request needs hashed.
 *
 * Short of memory, or without the algorithm, the process ends: a name or a signature that is not
 * the right one does more harm. Thread-safe. */
#ifndef WARMPATH_SHA256_H
#define WARMPATH_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES     32
#define SHA256_HEX_CHARS 64

void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES]);
/* `out` may be the key. */
void sha256_hmac(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_BYTES]);

/* In lower-case hexadecimal digits, with a zero behind. */
void sha256_hex(const uint8_t digest[SHA256_BYTES], char out[SHA256_HEX_CHARS + 1]);

#endif
