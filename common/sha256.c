#include "common/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 64

static EVP_MD *algorithm;

static void fail(void)
{
    fputs("warmpath: OpenSSL can't compute SHA-256\n", stderr);
    abort();
}

static void fetch(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!algorithm)
        fail();
}

/* Of two pieces, one after the other. */
static void digest(const void *a, size_t a_len, const void *b, size_t b_len,
                   uint8_t out[SHA256_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (!c || !EVP_DigestInit_ex2(c, algorithm, NULL) || !EVP_DigestUpdate(c, a, a_len) ||
        !EVP_DigestUpdate(c, b, b_len) || !EVP_DigestFinal_ex(c, out, NULL))
        fail();
    EVP_MD_CTX_free(c);
}

void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES])
{
    digest(data, len, "", 0, out);
}

void sha256_hmac(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_BYTES])
{
    uint8_t inner[BLOCK_BYTES] = {0}, outer[BLOCK_BYTES], inside[SHA256_BYTES];
    if (key_len > BLOCK_BYTES)
        sha256(key, key_len, inner);
    else
        memcpy(inner, key, key_len);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    digest(inner, sizeof(inner), data, len, inside);
    digest(outer, sizeof(outer), inside, sizeof(inside), out);
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
}

void sha256_hex(const uint8_t bytes[SHA256_BYTES], char out[SHA256_HEX_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[SHA256_HEX_CHARS] = '\0';
}
