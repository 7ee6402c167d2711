#include "fetch/sigv4.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define HEX_SIZE    (SHA256_HEX_CHARS + 1)
#define MAX_HEADERS 32

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

void sigv4_put_encoded(UT_string *out, const char *text, int keep_slash)
{
    size_t len = strlen(text);
    text_grow(out, 3 * len + 1);
    int n = sigv4_encode(text, len, keep_slash, out->d + out->i, 3 * len + 1);
    out->i += n > 0 ? (size_t)n : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(((const struct sigv4_header *)a)->name,
                      ((const struct sigv4_header *)b)->name);
}

static void put_lower(UT_string *out, const char *name)
{
    for (; *name; name++)
        text_put_char(out, *name >= 'A' && *name <= 'Z' ? (char)(*name + ('a' - 'A')) : *name);
}

/* Trims the value and folds runs of spaces into one, as the specification asks. */
static void put_folded(UT_string *out, const char *value)
{
    bool pending = false;
    bool any = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            pending = any;
            continue;
        }
        if (pending)
            text_put_char(out, ' ');
        text_put_char(out, *value);
        pending = false;
        any = true;
    }
}

static void put_signed_names(UT_string *out, const struct sigv4_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            text_put_char(out, ';');
        put_lower(out, headers[i].name);
    }
}

static void put_line(UT_string *out, const char *text)
{
    text_put(out, text);
    text_put_char(out, '\n');
}

/* SHA-256 of the canonical request, in hex. */
static void hash_canonical(const struct sigv4_request *r, const struct sigv4_header *sorted,
                           char hex[HEX_SIZE])
{
    UT_string text;
    uint8_t digest[SHA256_BYTES];
    text_init(&text);
    put_line(&text, r->method);
    put_line(&text, *r->path ? r->path : "/");
    put_line(&text, r->query ? r->query : "");
    for (size_t i = 0; i < r->n_headers; i++) {
        put_lower(&text, sorted[i].name);
        text_put_char(&text, ':');
        put_folded(&text, sorted[i].value);
        text_put_char(&text, '\n');
    }
    text_put_char(&text, '\n');
    put_signed_names(&text, sorted, r->n_headers);
    text_put_char(&text, '\n');
    text_put(&text, r->payload_sha256);
    sha256(utstring_body(&text), utstring_len(&text), digest);
    sha256_hex(digest, hex);
    OPENSSL_cleanse(utstring_body(&text), utstring_len(&text)); /* a token or key is among it */
    utstring_done(&text);
}

/* ---- the signing key ---- */

void sigv4_memo_init(struct sigv4_memo *m)
{
    *m = (struct sigv4_memo){0};
    pthread_mutex_init(&m->lock, NULL);
}

void sigv4_memo_clear(struct sigv4_memo *m)
{
    OPENSSL_cleanse(m->of, sizeof(m->of));
    OPENSSL_cleanse(m->key, sizeof(m->key));
    m->filled = false;
    pthread_mutex_destroy(&m->lock);
}

static void hmac(const void *key, size_t key_len, const char *text, uint8_t out[SHA256_BYTES])
{
    sha256_hmac(key, key_len, text, strlen(text), out);
}

/* `secret`: "AWS4" and the secret key. */
static void derive(const char *secret, size_t secret_len, const char *day,
                   const struct sigv4_request *r, uint8_t key[SHA256_BYTES])
{
    hmac(secret, secret_len, day, key);
    hmac(key, SHA256_BYTES, r->region, key);
    hmac(key, SHA256_BYTES, r->service, key);
    hmac(key, SHA256_BYTES, "aws4_request", key);
}

/* `scope`: day, region and service. */
static void derive_once(struct sigv4_memo *m, const char *secret, size_t secret_len,
                        const char *scope, const char *day, const struct sigv4_request *r,
                        uint8_t key[SHA256_BYTES])
{
    uint8_t of[SHA256_BYTES];
    hmac(secret, secret_len, scope, of);
    pthread_mutex_lock(&m->lock);
    if (!m->filled || memcmp(m->of, of, sizeof(of)) != 0) {
        derive(secret, secret_len, day, r, m->key);
        memcpy(m->of, of, sizeof(of));
        m->filled = true;
    }
    memcpy(key, m->key, SHA256_BYTES);
    pthread_mutex_unlock(&m->lock);
}

static bool signing_key(const struct credentials *c, const struct sigv4_request *r,
                        const char *date, const char *scope, uint8_t key[SHA256_BYTES])
{
    char secret[512], day[9];
    int len = snprintf(secret, sizeof(secret), "AWS4%s", c->secret_key);
    if (len < 0 || (size_t)len >= sizeof(secret))
        return false;
    snprintf(day, sizeof(day), "%.8s", date);
    if (r->memo)
        derive_once(r->memo, secret, (size_t)len, scope, day, r, key);
    else
        derive(secret, (size_t)len, day, r, key);
    OPENSSL_cleanse(secret, (size_t)len);
    return true;
}

/* ---- the signature ---- */

static bool sign(const struct credentials *c, const struct sigv4_request *r, const char *date,
                 const char *scope, const char *canonical_hex, char signature[HEX_SIZE])
{
    char text[sizeof(ALGORITHM) + 20 + 256 + HEX_SIZE];
    int len = snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", date, scope, canonical_hex);
    if (len < 0 || (size_t)len >= sizeof(text))
        return false;

    uint8_t key[SHA256_BYTES], digest[SHA256_BYTES];
    if (!signing_key(c, r, date, scope, key))
        return false;
    hmac(key, sizeof(key), text, digest);
    OPENSSL_cleanse(key, sizeof(key));
    sha256_hex(digest, signature);
    return true;
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
    hash_canonical(r, sorted, canonical_hex);

    char scope[256];
    int scope_len =
        snprintf(scope, sizeof(scope), "%.8s/%s/%s/aws4_request", date, r->region, r->service);
    char signature[HEX_SIZE];
    if (scope_len < 0 || (size_t)scope_len >= sizeof(scope) ||
        !sign(c, r, date, scope, canonical_hex, signature))
        return -EINVAL;

    UT_string text;
    text_init(&text);
    utstring_printf(&text, ALGORITHM " Credential=%s/%s,SignedHeaders=", c->access_key, scope);
    put_signed_names(&text, sorted, r->n_headers);
    utstring_printf(&text, ",Signature=%s", signature);
    size_t len = utstring_len(&text);
    if (len < out_size)
        memcpy(out, utstring_body(&text), len + 1);
    utstring_done(&text);
    return len < out_size ? (int)len : -ENOSPC;
}
