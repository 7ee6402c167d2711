#include "fetch/s3_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/text.h"
#include "fetch/sigv4.h"

static const char empty_sha256[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* Can the bucket stand before the host? Only a name that DNS takes; and under TLS none with dots,
 * which no wildcard certificate covers. */
static bool fits_host(const char *bucket, bool tls)
{
    size_t len = strlen(bucket);
    if (len < 3 || len > 63 || bucket[0] == '-' || bucket[0] == '.' || bucket[len - 1] == '-' ||
        bucket[len - 1] == '.')
        return false;
    for (const char *c = bucket; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-';
        if (!plain && (*c != '.' || tls))
            return false;
    }
    return true;
}

/* The parameters stand in the order that the signature wants: sorted by name. */
static void put_list_query(UT_string *out, const struct s3_request *r)
{
    if (r->token) {
        text_put(out, "continuation-token=");
        sigv4_put_encoded(out, r->token, 0);
        text_put_char(out, '&');
    }
    utstring_printf(
        out,
        "delimiter=%%2F&encoding-type=url&list-type=2&max-keys=%" PRIu32 "&prefix=", r->max_keys);
    sigv4_put_encoded(out, r->prefix ? r->prefix : "", 0);
    if (r->start_after) {
        text_put(out, "&start-after=");
        sigv4_put_encoded(out, r->start_after, 0);
    }
}

static char *build_query(const struct s3_request *r, const char *version_id)
{
    UT_string text;
    text_init(&text);
    if (r->op == S3_LIST) {
        put_list_query(&text, r);
    } else if (version_id) {
        text_put(&text, "versionId=");
        sigv4_put_encoded(&text, version_id, 0);
    }
    return utstring_body(&text);
}

static char *build_path(const struct s3_endpoint *e, const struct s3_request *r, bool virtual_host)
{
    UT_string text;
    text_init(&text);
    text_put(&text, e->base_path);
    text_put_char(&text, '/');
    if (!virtual_host)
        sigv4_put_encoded(&text, r->bucket, 0);
    if (r->op != S3_LIST) {
        if (!virtual_host)
            text_put_char(&text, '/');
        sigv4_put_encoded(&text, r->key, 1);
    }
    return utstring_body(&text);
}

__attribute__((format(printf, 2, 3))) static bool add_header(struct s3_wire *w, const char *format,
                                                             ...)
{
    char *line = NULL;
    if (w->n_headers == S3_WIRE_MAX_HEADERS)
        return false;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&line, format, args);
    va_end(args);
    if (len < 0)
        return false;
    w->headers[w->n_headers++] = line;
    return true;
}

/* The x-amz-* headers of one request: they are sent, and signed. */
struct amz {
    struct sigv4_header headers[10];
    size_t n;
    char date[17];
    char sse_key[48], sse_md5[28];
};

static void put_amz(struct amz *a, const char *name, const char *value)
{
    a->headers[a->n++] = (struct sigv4_header){name, value};
}

/* SSE-C: S3 decrypts with the key that comes with each request. */
static bool put_sse_c(struct amz *a, const unsigned char key[32])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!EVP_Digest(key, 32, digest, &len, EVP_md5(), NULL))
        return false;
    EVP_EncodeBlock((unsigned char *)a->sse_key, key, 32);
    EVP_EncodeBlock((unsigned char *)a->sse_md5, digest, (int)len);
    put_amz(a, "x-amz-server-side-encryption-customer-algorithm", "AES256");
    put_amz(a, "x-amz-server-side-encryption-customer-key", a->sse_key);
    put_amz(a, "x-amz-server-side-encryption-customer-key-MD5", a->sse_md5);
    return true;
}

static bool collect_amz(struct amz *a, const struct credentials *c, const struct s3_request *r,
                        const struct s3_wire_want *want)
{
    const struct s3_access *access = want->access;
    sigv4_date(want->now_s, a->date);
    if (!c->anonymous) {
        put_amz(a, "x-amz-content-sha256", empty_sha256);
        put_amz(a, "x-amz-date", a->date);
        if (c->session_token)
            put_amz(a, "x-amz-security-token", c->session_token);
    }
    if (access && access->requester_pays)
        put_amz(a, "x-amz-request-payer", "requester");
    return !access || !access->has_sse_c_key || r->op == S3_LIST || put_sse_c(a, access->sse_c_key);
}

/* Signs host and x-amz-*. Range and If-Match stay out of it, as in most SDKs' reads: a proxy
 * between may ask for a wider range, and the answer is checked anyway. */
static int add_signature(struct s3_wire *w, const struct s3_endpoint *e,
                         const struct credentials *c, const struct s3_wire_want *want,
                         const struct amz *amz, const char *authority, const char *path,
                         const char *query)
{
    struct sigv4_header headers[12] = {{"host", authority}};
    memcpy(headers + 1, amz->headers, amz->n * sizeof(amz->headers[0]));
    const struct sigv4_request request = {
        .method = want->method,
        .path = path,
        .query = query,
        .payload_sha256 = empty_sha256,
        .headers = headers,
        .n_headers = amz->n + 1,
        .region = e->region,
        .service = "s3",
        .when_s = want->now_s,
        .memo = want->memo,
    };
    char authorization[1024];
    int len = sigv4_authorization(&request, c, authorization, sizeof(authorization));
    if (len < 0)
        return len;
    return add_header(w, "Authorization: %s", authorization) ? 0 : -ENOMEM;
}

static int add_amz(struct s3_wire *w, const struct s3_endpoint *e, const struct credentials *c,
                   const struct s3_request *r, const struct s3_wire_want *want,
                   const char *authority, const char *path, const char *query)
{
    struct amz amz = {0};
    int error = collect_amz(&amz, c, r, want) ? 0 : -ENOMEM;
    for (size_t i = 0; i < amz.n && !error; i++)
        if (!add_header(w, "%s: %s", amz.headers[i].name, amz.headers[i].value))
            error = -ENOMEM;
    if (!error && !c->anonymous)
        error = add_signature(w, e, c, want, &amz, authority, path, query);
    OPENSSL_cleanse(&amz, sizeof(amz));
    return error;
}

static bool add_conditions(struct s3_wire *w, const struct s3_request *r,
                           const struct s3_wire_want *want)
{
    if (r->op == S3_GET && !want->whole &&
        !add_header(w, "Range: bytes=%" PRIu64 "-%" PRIu64, want->first, want->last))
        return false;
    if (want->if_match && !add_header(w, "If-Match: %s", want->if_match))
        return false;
    return !r->if_none_match || add_header(w, "If-None-Match: %s", r->if_none_match);
}

static int build(struct s3_wire *w, const struct s3_endpoint *e, const struct credentials *c,
                 const struct s3_request *r, const struct s3_wire_want *want)
{
    bool virtual_host =
        e->style == S3_STYLE_VIRTUAL && fits_host(r->bucket, strcmp(e->scheme, "https") == 0);
    CLEANUP_FREE char *authority = NULL;
    CLEANUP_FREE char *query = build_query(r, want->version_id);
    CLEANUP_FREE char *path = build_path(e, r, virtual_host);

    if (asprintf(&authority, "%s%s%s", virtual_host ? r->bucket : "", virtual_host ? "." : "",
                 e->authority) < 0) {
        authority = NULL;
        return -ENOMEM;
    }
    if (asprintf(&w->url, "%s://%s%s%s%s", e->scheme, authority, path, *query ? "?" : "", query) <
        0) {
        w->url = NULL;
        return -ENOMEM;
    }
    /* Said outright, so that it is to the letter what was signed. */
    if (!add_header(w, "Host: %s", authority) || !add_header(w, "User-Agent: warmpath") ||
        !add_header(w, "Accept-Encoding: identity") || !add_conditions(w, r, want))
        return -ENOMEM;
    return add_amz(w, e, c, r, want, authority, path, query);
}

int s3_wire_build(struct s3_wire *w, const struct s3_endpoint *endpoint,
                  const struct credentials *credentials, const struct s3_request *request,
                  const struct s3_wire_want *want)
{
    memset(w, 0, sizeof(*w));
    int error = build(w, endpoint, credentials, request, want);
    if (error)
        s3_wire_clear(w);
    return error;
}

void s3_wire_clear(struct s3_wire *w)
{
    free(w->url);
    for (size_t i = 0; i < w->n_headers; i++) {
        char *line = (char *)(uintptr_t)w->headers[i];
        OPENSSL_cleanse(line, strlen(line)); /* tokens and keys among them */
        free(line);
    }
    memset(w, 0, sizeof(*w));
}
