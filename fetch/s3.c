/* A request and its attempts:
 *
 *   s3_submit ─> launch ─> on_head ─> on_body… ─> on_done ─┬─ good ──────────────> finish ─> done
 *                  ^                                       ├─ fault, try again ─┐
 *                  │                                       └─ fault, give up ───┼─> finish ─> done
 *                  └────────────────── delay (policy/retry) <───────────────────┘
 *
 * The attempt lives from s3_submit to finish. Each callback runs on an engine thread, one after the
 * other, so that it needs no lock. */
#include "fetch/s3.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "fetch/s3_answer.h"
#include "fetch/s3_context.h"
#include "fetch/s3_wire.h"
#include "fetch/s3_xml.h"
#include "policy/retry.h"

#define CONNECT_TIMEOUT_MS    5000
#define FIRST_BYTE_TIMEOUT_MS 15000
#define LIST_TIMEOUT_MS       30000 /* a listing of a large bucket may think for a while */
#define STALL_TIMEOUT_MS      10000
#define DEFAULT_DEADLINE_MS   60000
#define DOCUMENT_MAX_BYTES    8192
#define DRAIN_MAX_BYTES       (256UL * 1024) /* of an error's body, to keep its connection */

struct s3_attempt {
    struct http_request http;
    struct http_engine *engine;
    struct s3_request *request;
    int64_t submitted_ms;
    uint32_t failed_in_row; /* attempts without progress */

    /* The object so far (GET). */
    char etag[S3_ETAG_MAX]; /* of the first good answer; "": none yet */
    uint64_t next;          /* offset of the next byte for the caller */
    uint64_t end;           /* this answer's body ends before it */

    /* This attempt. */
    struct s3_wire wire;
    bool accepted;             /* the body is what was asked for */
    bool progress;             /* and some of it came */
    bool diagnosing;           /* a GET in place of a refused HEAD, for its error document */
    struct s3_verdict refused; /* HEAD's verdict while diagnosing, and its status */
    int refused_status;
    struct s3_verdict verdict; /* set by a callback that gave up */
    struct s3_list_parser *parser;
    size_t document_len, drained;
    char document[DOCUMENT_MAX_BYTES];
};

/* ---- the end ---- */

static void attempt_free(struct s3_attempt *a)
{
    s3_wire_clear(&a->wire);
    s3_list_parser_free(a->parser);
    free(a);
}

/* Calls done. Neither the attempt nor the request may be touched afterwards. */
static void finish(struct s3_attempt *a, int error, const char *why)
{
    struct s3_request *r = a->request;

    r->result.error = error;
    r->result.http_status = a->diagnosing ? a->refused_status : a->http.status;
    snprintf(r->result.why, sizeof(r->result.why), "%s", why);
    r->attempt = NULL;
    attempt_free(a);

    r->done(r);
}

static void fill_page(struct s3_attempt *a, struct s3_page *page)
{
    struct s3_request *r = a->request;
    for (size_t i = 0; i < page->n_entries; i++)
        r->entry(r, &page->entries[i]);
    r->next_token = take_ptr(page->next_token);
    s3_page_clear(page);
}

/* ---- launching an attempt ---- */

static bool on_head(struct http_request *http);
static bool on_body(struct http_request *http, const void *data, size_t len);
static void on_done(struct http_request *http);

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* No single wait may eat the whole budget: a third leaves room for another try. */
static void set_timeouts(struct s3_attempt *a, int64_t left_ms)
{
    const struct s3_request *r = a->request;
    int64_t third_ms = r->deadline_ms / 3 > 0 ? r->deadline_ms / 3 : 1;

    a->http.connect_timeout_ms = at_most(CONNECT_TIMEOUT_MS, third_ms);
    a->http.first_byte_timeout_ms =
        at_most(r->op == S3_LIST ? LIST_TIMEOUT_MS : FIRST_BYTE_TIMEOUT_MS, third_ms);
    a->http.stall_timeout_ms = at_most(STALL_TIMEOUT_MS, third_ms);
    a->http.total_timeout_ms = left_ms > 0 ? left_ms : 1;
}

/* Forgets the last attempt's answer, and asks for what is still missing. */
static int launch(struct s3_attempt *a, int64_t delay_ms)
{
    struct s3_request *r = a->request;
    int64_t left_ms = a->submitted_ms + r->deadline_ms - clock_monotonic_ms() - delay_ms;
    const struct s3_wire_want want = {
        .method = r->op == S3_HEAD && !a->diagnosing ? "HEAD" : "GET",
        .first = a->next,
        .last = r->offset + r->length - 1,
        .if_match = r->if_match ? r->if_match
                    : *a->etag  ? a->etag
                                : NULL,
        .now_s = clock_wall_s(),
    };

    a->accepted = false;
    a->progress = false;
    a->document_len = 0;
    a->drained = 0;
    memset(&a->verdict, 0, sizeof(a->verdict));
    s3_list_parser_free(a->parser);
    a->parser = NULL;
    s3_wire_clear(&a->wire);
    int error = s3_wire_build(&a->wire, &r->context->endpoint, &r->context->credentials, r, &want);
    if (error)
        return error;

    memset(&a->http, 0, sizeof(a->http));
    a->http.method = want.method;
    a->http.url = a->wire.url;
    a->http.headers = a->wire.headers;
    a->http.ca_bundle = r->context->endpoint.ca_bundle;
    a->http.delay_ms = delay_ms;
    a->http.head = on_head;
    a->http.body = on_body;
    a->http.done = on_done;
    a->http.user = a;
    set_timeouts(a, left_ms);
    r->result.attempts++;
    return http_submit(a->engine, &a->http);
}

/* ---- receiving ---- */

static bool on_head(struct http_request *http)
{
    struct s3_attempt *a = http->user;
    struct s3_request *r = a->request;
    bool success = http->status == 200 || (http->status == 206 && r->op == S3_GET);

    if (!success)
        return true; /* the body is an error document */
    if (a->diagnosing)
        return false; /* an object, and we did not ask for one */
    if (r->op == S3_GET) {
        const char *etag = *a->etag ? a->etag : r->if_match ? r->if_match : "";
        a->accepted = s3_answer_get(http, a->next, r->offset + r->length - 1, etag, &r->meta,
                                    &a->end, &a->verdict);
        if (a->accepted)
            strcpy(a->etag, r->meta.etag);
    } else if (r->op == S3_LIST) {
        a->parser = s3_list_parser_new();
        a->accepted =
            a->parser || s3_verdict_set(&a->verdict, -ENOMEM, RETRY_NEVER, "out of memory");
    } else {
        a->accepted = s3_answer_head(http, &r->meta, &a->verdict);
    }
    return a->accepted;
}

static bool take_object(struct s3_attempt *a, const void *data, size_t len)
{
    struct s3_request *r = a->request;
    if (len > a->end - a->next)
        return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER,
                              "more bytes than the answer's Content-Range names");
    int error = r->write(r, a->next, data, len);
    if (error)
        return s3_verdict_set(&a->verdict, error, RETRY_NEVER, "given up: %s", strerror(-error));
    a->next += len;
    a->progress = true;
    return true;
}

/* The first few KiB: an error document, or what came in place of a listing. */
static void keep_document(struct s3_attempt *a, const void *data, size_t len)
{
    size_t room = sizeof(a->document) - a->document_len;
    size_t part = len < room ? len : room;
    memcpy(a->document + a->document_len, data, part);
    a->document_len += part;
}

static bool list_fault(struct s3_attempt *a, int error)
{
    struct s3_error said;
    if (s3_error_parse(a->document, a->document_len, &said))
        return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER, "bucket %.64s: %s: %.200s",
                              a->request->bucket, said.code, said.message);
    if (error == -ENOMEM)
        return s3_verdict_set(&a->verdict, -ENOMEM, RETRY_NEVER, "out of memory");
    return s3_verdict_set(&a->verdict, -EIO, RETRY_WRONG_ANSWER,
                          "%s: not an S3 endpoint? check AWS_ENDPOINT_URL_S3",
                          error == -E2BIG ? "the listing is larger than S3 sends any"
                                          : "the answer is no S3 listing");
}

static bool on_body(struct http_request *http, const void *data, size_t len)
{
    struct s3_attempt *a = http->user;

    a->request->result.body_bytes += len;
    if (a->accepted && a->request->op == S3_GET)
        return take_object(a, data, len);

    keep_document(a, data, len);
    if (a->accepted && a->parser) {
        int error = s3_list_parser_feed(a->parser, data, len);
        return error == 0 || list_fault(a, error);
    }
    a->drained += len;
    return a->drained <= DRAIN_MAX_BYTES; /* beyond, a new connection is cheaper */
}

/* ---- deciding ---- */

static bool page_complete(struct s3_attempt *a)
{
    struct s3_page page;
    int error = s3_list_parser_finish(a->parser, &page);
    if (error)
        return list_fault(a, error);
    fill_page(a, &page);
    return true;
}

/* A status that isn't a failure, though there is no body for the caller. */
static bool is_good_without_body(const struct s3_attempt *a)
{
    const struct s3_request *r = a->request;
    if (a->http.status == 304)
        return r->if_none_match != NULL;
    /* 416 at a later attempt: what was there before has become shorter. */
    return a->http.status == 416 && r->op == S3_GET && !*a->etag;
}

/* A silent endpoint that was there before will come back: wait for it. One that never was is more
 * likely a typo: give up soon. */
static void adjust_cause(struct s3_attempt *a)
{
    struct s3_context *context = a->request->context;
    bool answered = atomic_load(&context->answered);

    if (a->http.status && !answered)
        atomic_store(&context->answered, true);
    if (!a->verdict.error)
        return;
    if (a->progress && a->verdict.cause == RETRY_NETWORK)
        a->verdict.cause = RETRY_SHORT_BODY;
    else if (!a->http.status && a->verdict.cause == RETRY_NETWORK && !answered)
        a->verdict.cause = RETRY_UNREACHABLE;
    else if (a->verdict.cause == RETRY_UNREACHABLE && answered)
        a->verdict.cause = RETRY_NETWORK;
}

/* Fills a->verdict; its error is 0 when the request is answered. */
static void judge(struct s3_attempt *a)
{
    const struct http_request *http = &a->http;
    struct s3_request *r = a->request;

    if (a->verdict.error) {
        /* a callback has found out already */
    } else if (a->accepted) {
        if (http->error)
            s3_answer_network(http, &a->verdict);
        else if (r->op == S3_LIST)
            page_complete(a);
        else if (r->op == S3_GET && a->next < a->end)
            s3_verdict_set(&a->verdict, -EIO, RETRY_NETWORK,
                           "the body ended %" PRIu64 " bytes early", a->end - a->next);
    } else if (http->status == 0 || (http->error && http->error != -ECANCELED)) {
        s3_answer_network(http, &a->verdict);
    } else if (!is_good_without_body(a)) {
        s3_answer_fault(http, r, a->document, a->document_len, &a->verdict);
    }
    adjust_cause(a);
}

static uint32_t random32(void)
{
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
        bits = (uint32_t)clock_monotonic_ms() * 2654435761U;
    return bits;
}

/* Launches the next attempt if there is to be one. */
static bool try_again(struct s3_attempt *a)
{
    struct s3_request *r = a->request;

    a->failed_in_row = a->progress ? 1 : a->failed_in_row + 1;
    const struct retry_state state = {
        .attempts = a->failed_in_row,
        .elapsed_ms = clock_monotonic_ms() - a->submitted_ms,
        .deadline_ms = r->deadline_ms,
        .retry_after_ms = a->verdict.retry_after_ms,
        .random = random32(),
    };
    struct retry_decision decision = retry_decide(a->verdict.cause, &state);
    if (!decision.again)
        return false;
    log_info("s3", "attempt %" PRIu32 " failed: %s; again in %" PRId64 " ms", r->result.attempts,
             a->verdict.why, decision.delay_ms);
    struct s3_verdict failed = a->verdict;
    int error = launch(a, decision.delay_ms);
    if (error) {
        a->verdict = failed;
        a->verdict.error = error == -ECANCELED ? error : a->verdict.error;
        return false;
    }
    return true;
}

static bool is_refusal(const struct http_request *http)
{
    return !http->error && (http->status == 400 || http->status == 401 || http->status == 403);
}

/* Sends a GET after a refused HEAD. False when there is to be none. */
static bool diagnose(struct s3_attempt *a)
{
    struct s3_request *r = a->request;

    if (r->op != S3_HEAD || !is_refusal(&a->http) ||
        !s3_context_may_diagnose(r->context, clock_monotonic_ms()))
        return false;
    a->refused = a->verdict;
    a->refused_status = a->http.status;
    a->diagnosing = true;
    if (launch(a, 0) == 0)
        return true;
    a->diagnosing = false;
    a->verdict = a->refused;
    return false;
}

static void give_up(struct s3_attempt *a)
{
    char why[sizeof(a->verdict.why)];
    const struct s3_request *r = a->request;

    /* Where nothing answers, the endpoint is the first thing to look at. */
    size_t len = strlen(a->verdict.why);
    if (!a->http.status && a->verdict.error && !strstr(a->verdict.why, "AWS_"))
        snprintf(a->verdict.why + len, sizeof(a->verdict.why) - len,
                 "; check AWS_ENDPOINT_URL_S3 and the network");
    if (r->result.attempts > 1 && a->verdict.cause != RETRY_NEVER)
        snprintf(why, sizeof(why), "%.300s (gave up after %" PRIu32 " attempts in %.1f s)",
                 a->verdict.why, r->result.attempts,
                 (double)(clock_monotonic_ms() - a->submitted_ms) / 1000);
    else
        snprintf(why, sizeof(why), "%s", a->verdict.why);
    finish(a, a->verdict.error, why);
}

static void on_done(struct http_request *http)
{
    struct s3_attempt *a = http->user;

    judge(a);
    if (a->diagnosing) {
        /* Whatever else the GET met, the HEAD was refused. */
        if (!is_refusal(http))
            a->verdict = a->refused;
        give_up(a);
    } else if (!a->verdict.error) {
        log_debug("s3", "%s %s: HTTP %d", http->method, http->url, http->status);
        finish(a, 0, "");
    } else if (!diagnose(a) && !try_again(a)) {
        give_up(a);
    }
}

/* ---- submitting ---- */

static int check_request(const struct s3_request *r)
{
    if (!r->bucket || !*r->bucket || strlen(r->bucket) > S3_BUCKET_MAX || strchr(r->bucket, '/'))
        return -EINVAL;
    if (r->op == S3_LIST)
        return r->entry && r->max_keys >= 1 && r->max_keys <= 1000 ? 0 : -EINVAL;
    if (!r->key || !*r->key)
        return -EINVAL;
    if (strlen(r->key) > S3_KEY_MAX)
        return -ENAMETOOLONG;
    if (r->op == S3_GET && (!r->write || r->length == 0 || r->offset + r->length < r->offset))
        return -EINVAL;
    return 0;
}

int s3_submit(struct http_engine *engine, struct s3_request *r)
{
    int error = check_request(r);
    if (error)
        return error;
    struct s3_attempt *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;

    memset(&r->result, 0, sizeof(r->result));
    memset(&r->meta, 0, sizeof(r->meta));
    r->next_token = NULL;
    r->attempt = a;
    if (r->deadline_ms <= 0)
        r->deadline_ms = DEFAULT_DEADLINE_MS;
    a->engine = engine;
    a->request = r;
    a->next = r->offset;
    a->submitted_ms = clock_monotonic_ms();
    error = launch(a, 0);
    if (error) {
        r->attempt = NULL;
        attempt_free(a);
    }
    return error;
}
