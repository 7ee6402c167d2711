#include "fetch/s3_fault.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "fetch/s3_xml.h"

void s3_fault_network(const struct http_request *http, struct s3_verdict *v)
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
    if (s3_answer_number(&text, '\0', &seconds))
        return seconds < 86400 ? (int64_t)seconds * 1000 : 86400000;
    int64_t date_s = s3_answer_date_s(http, "Date");
    int64_t left_s = s3_answer_date_s(http, "Retry-After") - (date_s > 0 ? date_s : clock_wall_s());
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
    int64_t date_s = s3_answer_date_s(http, "Date");
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
    int64_t date_s = s3_answer_date_s(http, "Date");

    out[0] = '\0';
    if (!region)
        region = document->region;
    if (*region && meaning->error == -EIO && meaning->cause == RETRY_NEVER)
        snprintf(out, size, " (it names AWS_REGION=%.40s)", region);
    else if (strncmp(document->code, "RequestTime", 11) == 0 && meaning->error == -EACCES && date_s)
        snprintf(out, size, " (it is %" PRId64 " s off S3's)", clock_wall_s() - date_s);
}

void s3_fault_answer(const struct http_request *http, const struct s3_request *request,
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
