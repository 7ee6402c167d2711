#include "fetch/sigv4.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/cleanup.h"

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define HEX_SIZE    (2 * SHA256_DIGEST_LENGTH + 1)
#define MAX_HEADERS 32

static void to_hex(const unsigned char *digest, char out[HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[HEX_SIZE - 1] = '\0';
}

static bool hmac(const void *key, size_t key_len, const char *text, unsigned char *out)
{
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out,
                NULL) != NULL;
}

void sigv4_date(int64_t when_s, char out[17])
{
    time_t when = (time_t)when_s;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm);
}

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

int sigv4_encode(const char *in, size_t in_len, int keep_slash, char *out, size_t out_size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;

    for (size_t i = 0; i < in_len; i++) {
        unsigned char c = (unsigned char)in[i];
        bool plain = unreserved(c) || (keep_slash && c == '/');
        if (len + (plain ? 1 : 3) >= out_size)
            return -ENOSPC;
        if (plain) {
            out[len++] = (char)c;
        } else {
            out[len++] = '%';
            out[len++] = digits[c >> 4];
            out[len++] = digits[c & 15];
        }
    }
    if (len >= out_size)
        return -ENOSPC;
    out[len] = '\0';
    return (int)len;
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(((const struct sigv4_header *)a)->name,
                      ((const struct sigv4_header *)b)->name);
}

static void put_lower(FILE *out, const char *name)
{
    for (; *name; name++)
        fputc(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name, out);
}

/* Trims the value and folds runs of spaces into one, as the specification asks. */
static void put_folded(FILE *out, const char *value)
{
    bool pending = false;
    bool any = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            pending = any;
            continue;
        }
        if (pending)
            fputc(' ', out);
        fputc(*value, out);
        pending = false;
        any = true;
    }
}

static void put_signed_names(FILE *out, const struct sigv4_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            fputc(';', out);
        put_lower(out, headers[i].name);
    }
}

/* SHA-256 of the canonical request, in hex. */
static int hash_canonical(const struct sigv4_request *r, const struct sigv4_header *sorted,
                          char hex[HEX_SIZE])
{
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return -ENOMEM;

    fprintf(out, "%s\n%s\n%s\n", r->method, *r->path ? r->path : "/", r->query ? r->query : "");
    for (size_t i = 0; i < r->n_headers; i++) {
        put_lower(out, sorted[i].name);
        fputc(':', out);
        put_folded(out, sorted[i].value);
        fputc('\n', out);
    }
    fputc('\n', out);
    put_signed_names(out, sorted, r->n_headers);
    fprintf(out, "\n%s", r->payload_sha256);
    if (fclose(out) != 0)
        return -ENOMEM;

    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, len, digest);
    to_hex(digest, hex);
    return 0;
}

static bool derive_key(const char *secret, const char *day, const char *region, const char *service,
                       unsigned char key[SHA256_DIGEST_LENGTH])
{
    char first[512];
    int len = snprintf(first, sizeof(first), "AWS4%s", secret);
    if (len < 0 || (size_t)len >= sizeof(first))
        return false;
    bool ok = hmac(first, (size_t)len, day, key) && hmac(key, SHA256_DIGEST_LENGTH, region, key) &&
              hmac(key, SHA256_DIGEST_LENGTH, service, key) &&
              hmac(key, SHA256_DIGEST_LENGTH, "aws4_request", key);
    OPENSSL_cleanse(first, sizeof(first));
    return ok;
}

static bool sign(const struct credentials *c, const struct sigv4_request *r, const char *date,
                 const char *scope, const char *canonical_hex, char signature[HEX_SIZE])
{
    char text[sizeof(ALGORITHM) + 20 + 256 + HEX_SIZE];
    int len = snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", date, scope, canonical_hex);
    if (len < 0 || (size_t)len >= sizeof(text))
        return false;

    char day[9];
    memcpy(day, date, 8);
    day[8] = '\0';
    unsigned char key[SHA256_DIGEST_LENGTH];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    bool ok = derive_key(c->secret_key, day, r->region, r->service, key) &&
              hmac(key, sizeof(key), text, digest);
    OPENSSL_cleanse(key, sizeof(key));
    if (ok)
        to_hex(digest, signature);
    return ok;
}

/* -EINVAL unless everything is there and the dates in header and scope agree. */
static int check_request(const struct sigv4_request *r, const struct credentials *c,
                         const char *date)
{
    bool host = false;
    bool dated = false;

    if (!c->access_key || !c->secret_key || !r->n_headers || r->n_headers > MAX_HEADERS)
        return -EINVAL;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (strcasecmp(r->headers[i].name, "host") == 0)
            host = true;
        if (strcasecmp(r->headers[i].name, "x-amz-date") == 0)
            dated = strcmp(r->headers[i].value, date) == 0;
    }
    return host && dated ? 0 : -EINVAL;
}

int sigv4_authorization(const struct sigv4_request *r, const struct credentials *c, char *out,
                        size_t out_size)
{
    char date[17];
    sigv4_date(r->when_s, date);
    int error = check_request(r, c, date);
    if (error)
        return error;

    struct sigv4_header sorted[MAX_HEADERS];
    memcpy(sorted, r->headers, r->n_headers * sizeof(sorted[0]));
    qsort(sorted, r->n_headers, sizeof(sorted[0]), by_name);

    char canonical_hex[HEX_SIZE];
    error = hash_canonical(r, sorted, canonical_hex);
    if (error)
        return error;

    char scope[256];
    int scope_len =
        snprintf(scope, sizeof(scope), "%.8s/%s/%s/aws4_request", date, r->region, r->service);
    char signature[HEX_SIZE];
    if (scope_len < 0 || (size_t)scope_len >= sizeof(scope) ||
        !sign(c, r, date, scope, canonical_hex, signature))
        return -EINVAL;

    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    if (!stream)
        return -ENOMEM;
    fprintf(stream, ALGORITHM " Credential=%s/%s,SignedHeaders=", c->access_key, scope);
    put_signed_names(stream, sorted, r->n_headers);
    fprintf(stream, ",Signature=%s", signature);
    if (fclose(stream) != 0)
        return -ENOMEM;
    if (len >= out_size)
        return -ENOSPC;
    memcpy(out, text, len + 1);
    return (int)len;
}
