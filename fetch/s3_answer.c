#include "fetch/s3_answer.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

bool s3_answer_number(const char **text, char stop, uint64_t *out)
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

int64_t s3_answer_date_s(const struct http_request *http, const char *name)
{
    const char *text = http_header(http, name);
    time_t when = text ? curl_getdate(text, NULL) : -1;
    return when > 0 ? (int64_t)when : 0;
}

/* "bytes 0-9/100". An unknown total ("*") won't do: it is the object's size. */
static bool parse_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
    if (strncasecmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    return s3_answer_number(&text, '-', first) && s3_answer_number(&text, '/', last) &&
           s3_answer_number(&text, '\0', total) && *first <= *last && *last < *total;
}

static bool content_length(const struct http_request *http, uint64_t *out)
{
    const char *text = http_header(http, "Content-Length");
    return text && s3_answer_number(&text, '\0', out);
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
    meta->mtime_s = s3_answer_date_s(http, "Last-Modified");
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
