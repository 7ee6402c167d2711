#include "fetch/s3_answer.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "fetch/s3_xml.h"

bool s3_verdict_set(struct s3_verdict *v, int error, enum retry_cause cause, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->why, sizeof(v->why), format, args);
    va_end(args);
    v->error = error;
    v->cause = cause;
    return false;
}

/* ---- success, or something that claims to be ---- */

/* Decimal digits, all of them, up to `stop`; moves *text behind it. */
static bool take_number(const char **text, char stop, uint64_t *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    if (errno || *end != stop)
        return false;
    *text = stop ? end + 1 : end;
    return true;
}

/* "bytes 0-9/100". An unknown total ("*") won't do: it is the object's size. */
static bool parse_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
    if (strncasecmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return take_number(&text, '-', first) && take_number(&text, '/', last) &&
           take_number(&text, '\0', total) && *first <= *last && *last < *total;
}

static bool content_length(const struct http_request *http, uint64_t *out)
{
    const char *text = http_header(http, "Content-Length");
    return text && take_number(&text, '\0', out);
}

static int64_t header_date_s(const struct http_request *http, const char *name)
{
    const char *text = http_header(http, name);
    time_t when = text ? curl_getdate(text, NULL) : -1;
    return when > 0 ? (int64_t)when : 0;
}

/* Buckets without versions give none, or "null", which the next upload overwrites. */
static void take_version(const struct http_request *http, struct s3_meta *meta)
{
    const char *id = http_header(http, "x-amz-version-id");
    meta->version_id[0] = '\0';
    if (id && strcmp(id, "null") != 0 && strlen(id) < sizeof(meta->version_id))
        strcpy(meta->version_id, id);
}

static bool take_etag_and_date(const struct http_request *http, struct s3_meta *meta,
                               struct s3_verdict *v)
{
    const char *etag = http_header(http, "ETag");
    if (!etag)
        return s3_verdict_set(
            v, -EIO, RETRY_WRONG_ANSWER,
            "the answer has no ETag: not an S3 endpoint? check AWS_ENDPOINT_URL_S3");
    if (!s3_etag_copy(meta->etag, etag))
        return s3_verdict_set(v, -EIO, RETRY_WRONG_ANSWER,
                              "the ETag %.40s cannot tell versions apart: a proxy on the way that "
                              "changes what it hands on?",
                              etag);
    meta->mtime_s = header_date_s(http, "Last-Modified");
    take_version(http, meta);
    return true;
}

bool s3_answer_head(const struct http_request *http, struct s3_meta *meta, struct s3_verdict *v)
{
    if (!content_length(http, &meta->size_bytes))
        return s3_verdict_set(v, -EIO, RETRY_WRONG_ANSWER,
                              "the answer to HEAD has no Content-Length: not an S3 endpoint? check "
                              "AWS_ENDPOINT_URL_S3");
    return take_etag_and_date(http, meta, v);
}

/* A whole object in place of a range is right only if the range covers it. */
static bool take_whole(const struct http_request *http, uint64_t first, uint64_t last,
                       struct s3_meta *meta, uint64_t *end, struct s3_verdict *v)
{
    uint64_t len;
    if (!content_length(http, &len) || first != 0 || len == 0 || len - 1 > last)
        return s3_verdict_set(
            v, -EIO, RETRY_WRONG_ANSWER,
            "asked for a range, got the whole (HTTP 200): the endpoint or a proxy "
            "before it does not honour Range");
    meta->size_bytes = len;
    *end = len;
    return true;
}

static bool take_range(const struct http_request *http, uint64_t first, uint64_t last,
                       struct s3_meta *meta, uint64_t *end, struct s3_verdict *v)
{
    const char *range = http_header(http, "Content-Range");
    uint64_t got_first, got_last, total, len;

    if (!range || !parse_content_range(range, &got_first, &got_last, &total))
        return s3_verdict_set(v, -EIO, RETRY_WRONG_ANSWER, "HTTP 206 with %s Content-Range%s%.60s",
                              range ? "the malformed" : "no", range ? " " : "", range ? range : "");
    uint64_t want_last = last < total ? last : total - 1;
    if (got_first != first || got_last != want_last)
        return s3_verdict_set(v, -EIO, RETRY_WRONG_ANSWER,
                              "asked for bytes %" PRIu64 "-%" PRIu64 ", was sent %.60s", first,
                              last, range);
    if (content_length(http, &len) && len != got_last - got_first + 1)
        return s3_verdict_set(v, -EIO, RETRY_WRONG_ANSWER,
                              "Content-Length %" PRIu64 " does not agree with Content-Range %.60s",
                              len, range);
    meta->size_bytes = total;
    *end = got_last + 1;
    return true;
}

bool s3_answer_get(const struct http_request *http, uint64_t first, uint64_t last, const char *etag,
                   struct s3_meta *meta, uint64_t *end, struct s3_verdict *v)
{
    if (!take_etag_and_date(http, meta, v))
        return false;
    if (*etag && strcmp(etag, meta->etag) != 0)
        return s3_verdict_set(v, -ESTALE, RETRY_NEVER,
                              "the object was replaced: its ETag is %s now, was %s", meta->etag,
                              etag);
    return http->status == 206 ? take_range(http, first, last, meta, end, v)
                               : take_whole(http, first, last, meta, end, v);
}

/* ---- faults ---- */

void s3_answer_network(const struct http_request *http, struct s3_verdict *v)
{
    int error = -EIO;
    enum retry_cause cause = RETRY_NETWORK;
    const char *advice = "";

    switch (http->error) {
    case -ECANCELED:
        error = -ECANCELED;
        cause = RETRY_NEVER;
        break;
    case -ETIMEDOUT:
        error = -ETIMEDOUT;
        break;
    case -EHOSTUNREACH:
        error = -ETIMEDOUT;
        cause = RETRY_UNREACHABLE;
        advice = ": check AWS_ENDPOINT_URL_S3 and the network";
        break;
    case -ECONNREFUSED:
    case -ENXIO:
        cause = RETRY_UNREACHABLE;
        advice = ": check AWS_ENDPOINT_URL_S3 and the network";
        break;
    case -EPROTO:
        cause = RETRY_UNREACHABLE;
        advice = ": check AWS_ENDPOINT_URL_S3, http:// or https://?";
        break;
    case -EKEYREJECTED:
        s3_verdict_set(v, -EIO, RETRY_NEVER, "%s: set AWS_CA_BUNDLE to the PEM file of its CA",
                       http->why);
        return;
    case -EINVAL:
        s3_verdict_set(v, -EIO, RETRY_NEVER, "%s: check AWS_ENDPOINT_URL_S3", http->why);
        return;
    case -ENOMEM:
        error = -ENOMEM;
        break;
    default:
        break;
    }
    s3_verdict_set(v, error, cause, "%s%s", http->why, advice);
}

struct meaning {
    const char *code;
    int error;
    enum retry_cause cause;
    const char *advice; /* NULL: S3's own message says it */
};

#define CLOCK_OFF_S 240 /* S3 refuses dates that are 15 minutes off, some servers 5 */

static const char advice_region[] = "the bucket is in another region: set AWS_REGION";
static const char advice_renew[] = "the session has ended: renew AWS_SESSION_TOKEN and its keys";
static const char advice_clock[] = "set this machine's clock";

/* Source: Amazon S3 API Reference, "List of error codes"; the throttling ones as the SDKs know
 * them. */
static const struct meaning meanings[] = {
    {"NoSuchKey", -ENOENT, RETRY_NEVER, "no such key"},
    {"NoSuchVersion", -ENOENT, RETRY_NEVER, "no such version"},
    {"NoSuchBucket", -ENOENT, RETRY_NEVER,
     "no such bucket: check its name in WARMPATH_MAP, and AWS_ENDPOINT_URL_S3"},
    {"InvalidBucketName", -ENOENT, RETRY_NEVER, "no valid bucket name: check it in WARMPATH_MAP"},
    {"AccessDenied", -EACCES, RETRY_NEVER, "these credentials may not read this"},
    {"SignatureDoesNotMatch", -EACCES, RETRY_NEVER, "check AWS_SECRET_ACCESS_KEY"},
    {"InvalidAccessKeyId", -EACCES, RETRY_NEVER, "check AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL_S3"},
    {"ExpiredToken", -EACCES, RETRY_NEVER, advice_renew},
    {"InvalidToken", -EACCES, RETRY_NEVER, advice_renew},
    {"TokenRefreshRequired", -EACCES, RETRY_NEVER, advice_renew},
    {"RequestTimeTooSkewed", -EACCES, RETRY_NEVER, advice_clock},
    {"RequestExpired", -EACCES, RETRY_NEVER, advice_clock},
    {"InvalidObjectState", -EACCES, RETRY_NEVER, "the object is archived: restore it first"},
    {"AuthorizationHeaderMalformed", -EIO, RETRY_NEVER, advice_region},
    {"PermanentRedirect", -EIO, RETRY_NEVER, advice_region},
    {"TemporaryRedirect", -EIO, RETRY_NEVER, advice_region},
    {"Redirect", -EIO, RETRY_NEVER, advice_region},
    {"PreconditionFailed", -ESTALE, RETRY_NEVER, "the object was replaced meanwhile"},
    {"SlowDown", -EIO, RETRY_THROTTLED, NULL},
    {"TooManyRequests", -EIO, RETRY_THROTTLED, NULL},
    {"Throttling", -EIO, RETRY_THROTTLED, NULL},
    {"ThrottlingException", -EIO, RETRY_THROTTLED, NULL},
    {"RequestLimitExceeded", -EIO, RETRY_THROTTLED, NULL},
    {"BandwidthLimitExceeded", -EIO, RETRY_THROTTLED, NULL},
    {"RequestTimeout", -EIO, RETRY_NETWORK, NULL},
    {"InternalError", -EIO, RETRY_SERVER, NULL},
    {"ServiceUnavailable", -EIO, RETRY_SERVER, NULL},
};

static const struct meaning *meaning_of_code(const char *code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strcmp(meanings[i].code, code) == 0)
            return &meanings[i];
    return NULL;
}

static struct meaning meaning_of_status(int status)
{
    switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
        return (struct meaning){NULL, -EIO, RETRY_NEVER,
                                "redirected: check AWS_REGION and AWS_ENDPOINT_URL_S3"};
    case 400:
        return (struct meaning){
            NULL, -EIO, RETRY_NEVER,
            "request refused: check AWS_ENDPOINT_URL_S3 (http:// or https://?), "
            "AWS_REGION and AWS_SESSION_TOKEN"};
    case 401:
    case 403:
        return (struct meaning){NULL, -EACCES, RETRY_NEVER, "access denied: check the credentials"};
    case 404:
        return (struct meaning){NULL, -ENOENT, RETRY_NEVER, "no such key or bucket"};
    case 408:
        return (struct meaning){NULL, -EIO, RETRY_NETWORK, NULL};
    case 412:
        return (struct meaning){NULL, -ESTALE, RETRY_NEVER, "the object was replaced meanwhile"};
    case 429:
    case 509:
        return (struct meaning){NULL, -EIO, RETRY_THROTTLED, NULL};
    case 501:
    case 505:
        return (struct meaning){NULL, -EIO, RETRY_NEVER, NULL};
    default:
        return (struct meaning){NULL, -EIO, status >= 500 ? RETRY_SERVER : RETRY_NEVER, NULL};
    }
}

/* "503: wait so many seconds", or until a date, which is one of the server's clock. */
static int64_t retry_after_ms(const struct http_request *http)
{
    const char *text = http_header(http, "Retry-After");
    uint64_t seconds;
    if (!text)
        return 0;
    if (take_number(&text, '\0', &seconds))
        return seconds < 86400 ? (int64_t)seconds * 1000 : 86400000;
    int64_t date_s = header_date_s(http, "Date");
    int64_t left_s = header_date_s(http, "Retry-After") - (date_s > 0 ? date_s : clock_wall_s());
    return left_s > 0 && left_s < 86400 ? left_s * 1000 : 0;
}

/* A web server that isn't S3 says 404, too: it must not pass for a missing object. S3 answers HEAD
 * without a document, but never in HTML. */
static bool is_foreign(const struct http_request *http, const struct s3_request *request)
{
    const char *type = http_header(http, "Content-Type");
    if (request->op != S3_HEAD)
        return true;
    return type && strncasecmp(type, "text/html", 9) == 0 && !http_header(http, "x-amz-request-id");
}

static bool is_expiry(const char *code)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException",
                                        "TokenRefreshRequired", "InvalidToken",
                                        "InvalidAccessKeyId"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

/* Where the bucket is: the region, and the place that a redirect names. */
static void find_location(const struct http_request *http, const struct s3_error *document,
                          struct s3_verdict *v)
{
    const char *region = http_header(http, "x-amz-bucket-region");
    const char *location = http_header(http, "Location");
    snprintf(v->region, sizeof(v->region), "%s", region ? region : document->region);
    if (location && strstr(location, "://"))
        snprintf(v->location, sizeof(v->location), "%.255s", location);
    else if (*document->endpoint)
        snprintf(v->location, sizeof(v->location), "%.*s://%s",
                 (int)(strstr(http->url, "://") - http->url), http->url, document->endpoint);
}

/* Can it be mended by another try? A HEAD is refused without a document: then the headers alone
 * must tell. */
static void find_remedy(const struct http_request *http, const struct s3_error *document,
                        int64_t now_s, struct s3_verdict *v)
{
    int64_t date_s = header_date_s(http, "Date");
    int64_t off_s = date_s ? date_s - now_s : 0;
    bool clock_off = off_s > CLOCK_OFF_S || off_s < -CLOCK_OFF_S;
    bool refused = http->status == 400 || http->status == 403;
    bool moved =
        http->status == 301 || http->status == 302 || http->status == 307 || http->status == 308;

    if (refused && is_expiry(document->code)) {
        v->remedy = S3_REMEDY_KEYS;
    } else if (clock_off && refused &&
               (!*document->code || strncmp(document->code, "RequestTime", 11) == 0 ||
                strcmp(document->code, "RequestExpired") == 0)) {
        v->remedy = S3_REMEDY_CLOCK;
        v->offset_s = off_s;
    } else if (moved || http->status == 400) {
        find_location(http, document, v);
        if (*v->region || (moved && *v->location))
            v->remedy = S3_REMEDY_REGION;
    }
}

static void put_extras(const struct http_request *http, const struct s3_error *document,
                       const struct meaning *meaning, char *out, size_t size)
{
    const char *region = http_header(http, "x-amz-bucket-region");
    int64_t date_s = header_date_s(http, "Date");

    out[0] = '\0';
    if (!region)
        region = document->region;
    if (*region && meaning->error == -EIO && meaning->cause == RETRY_NEVER)
        snprintf(out, size, " (it names AWS_REGION=%.40s)", region);
    else if (strncmp(document->code, "RequestTime", 11) == 0 && meaning->error == -EACCES && date_s)
        snprintf(out, size, " (it is %" PRId64 " s off S3's)", clock_wall_s() - date_s);
}

void s3_answer_fault(const struct http_request *http, const struct s3_request *request,
                     const void *document, size_t len, int64_t now_s, struct s3_verdict *v)
{
    struct s3_error error;
    char extras[96];
    bool is_s3 = s3_error_parse(document, len, &error);
    const struct meaning *known = is_s3 ? meaning_of_code(error.code) : NULL;
    struct meaning meaning = known ? *known : meaning_of_status(http->status);

    if (!is_s3 && http->status == 404 && is_foreign(http, request)) {
        s3_verdict_set(v, -EIO, RETRY_NEVER,
                       "HTTP 404 without an S3 error document: not an S3 endpoint? check "
                       "AWS_ENDPOINT_URL_S3");
        return;
    }
    find_remedy(http, &error, now_s, v);
    put_extras(http, &error, &meaning, extras, sizeof(extras));
    v->retry_after_ms = retry_after_ms(http);
    /* A code that we don't know says more in S3's own words than its status does in ours. */
    const char *advice =
        meaning.advice && (known || !*error.message) ? meaning.advice : error.message;
    s3_verdict_set(v, meaning.error, meaning.cause, "bucket %.64s: HTTP %d%s%s%s%.200s%s",
                   request->bucket, http->status, is_s3 ? " " : "", error.code, *advice ? ": " : "",
                   advice, extras);
}
