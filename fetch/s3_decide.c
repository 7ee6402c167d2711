/* What follows from an answer: it is good, it can be mended, it is worth another try, or it is the
 * end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/log.h"
#include "fetch/s3_attempt.h"
#include "fetch/s3_context.h"
#include "fetch/s3_fault.h"
#include "policy/retry.h"

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
    struct s3_lore *lore = a->request->context->lore;
    bool answered = s3_lore_answered(lore);

    if (a->http.status)
        s3_lore_heard(lore, clock_monotonic_ms());
    if (!a->verdict.error)
        return;
    if (a->progress && a->verdict.cause == RETRY_NETWORK)
        a->verdict.cause = RETRY_SHORT_BODY;
    else if (!a->http.status && a->verdict.cause == RETRY_NETWORK && !answered)
        a->verdict.cause = RETRY_UNREACHABLE;
    else if (a->verdict.cause == RETRY_UNREACHABLE && answered)
        a->verdict.cause = RETRY_NETWORK;
}

static void note_rate(const struct s3_attempt *a)
{
    const struct s3_request *r = a->request;
    bool throttled =
        a->verdict.error && (a->verdict.cause == RETRY_THROTTLED || a->http.status == 503);
    if (a->http.status)
        s3_lore_rate(r->context->lore, r->bucket, r->op == S3_LIST ? r->prefix : r->key, throttled,
                     clock_monotonic_ms());
}

static void note_hedge(const struct s3_attempt *a)
{
    struct s3_request *r = a->request;
    if (a->http.status && r->op != S3_LIST)
        s3_lore_hedge_heard(r->context->lore, a->http.first_byte_ms);
    r->result.hedges += a->http.hedged;
    r->result.hedges_won += a->http.hedge_won;
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
            s3_fault_network(http, &a->verdict);
        else if (r->op == S3_LIST)
            s3_receive_page(a);
        else if (r->op == S3_GET && a->next < a->end)
            s3_verdict_set(&a->verdict, -EIO, RETRY_NETWORK,
                           "the body ended %" PRIu64 " bytes early", a->end - a->next);
    } else if (http->status == 0 || (http->error && http->error != -ECANCELED)) {
        s3_fault_network(http, &a->verdict);
    } else if (!is_good_without_body(a)) {
        s3_fault_answer(http, r, a->document, a->document_len, a->now_s, &a->verdict);
    }
    adjust_cause(a);
    note_rate(a);
    note_hedge(a);
    if (!a->verdict.error && a->http.status)
        atomic_store(&a->keys->accepted, true);
    /* The version is gone, or may not be asked for: what the newest one told is what counts. */
    if (a->use_version_id && !a->verdict.remedy &&
        (a->verdict.error == -EACCES || a->verdict.error == -ENOENT))
        a->verdict = a->before;
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

    if (a->probe && !a->http.status)
        return false; /* one try tells whether the endpoint is back */
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
    int error = s3_launch(a, decision.delay_ms);
    if (error && !a->verdict.error) {
        a->verdict = failed;
        a->verdict.error = error == -ECANCELED ? error : a->verdict.error;
    }
    return error == 0;
}

static bool is_refusal(const struct http_request *http)
{
    return !http->error && (http->status == 400 || http->status == 401 || http->status == 403);
}

/* ---- mending ---- */

/* Once a request for each remedy, but for redirects, which may be two in a row. */
static bool may_mend(struct s3_attempt *a, enum s3_remedy remedy)
{
    if (remedy == S3_REMEDY_REGION)
        return a->moves++ < 3;
    if (a->mended & (1U << remedy))
        return false;
    a->mended |= 1U << remedy;
    return true;
}

static bool apply(struct s3_attempt *a)
{
    const struct s3_request *r = a->request;
    const struct s3_context *c = r->context;
    const struct s3_verdict *v = &a->verdict;
    switch (v->remedy) {
    case S3_REMEDY_KEYS:
        a->renewing = keyring_refused(c->keyring, a->keys);
        return a->renewing;
    case S3_REMEDY_REGION:
        return s3_lore_moved(c->lore, &c->endpoint, r->bucket, v->region, v->location);
    case S3_REMEDY_CLOCK:
        s3_lore_set_clock_offset(c->lore, a->now_s + v->offset_s - clock_wall_s());
        return true;
    case S3_REMEDY_NONE:
        break;
    }
    /* A HEAD is refused without a reason; if the keys have been renewed since, that may be it. */
    a->renewing = r->op == S3_HEAD && is_refusal(&a->http) && keyring_newer(c->keyring, a->keys);
    return a->renewing;
}

/* The version that was opened may still be there, where the bucket keeps versions. Asked for only
 * now: it needs a permission of its own (s3:GetObjectVersion). */
static bool try_version(struct s3_attempt *a)
{
    const struct s3_request *r = a->request;
    if (r->op != S3_GET || !*a->version_id || a->use_version_id ||
        (a->verdict.error != -ESTALE && a->verdict.error != -ENOENT))
        return false;
    a->use_version_id = true;
    a->before = a->verdict;
    return true;
}

/* The whole object was asked for, and what came is none that was expected: it was replaced by one
 * that is longer, or by an empty one. */
static bool try_range(struct s3_attempt *a)
{
    if (!a->whole || a->http.status != 200 || a->verdict.cause != RETRY_WRONG_ANSWER)
        return false;
    a->use_range = true;
    a->before = a->verdict;
    return true;
}

/* Launches the next attempt where something can be done about the fault. */
static bool mend(struct s3_attempt *a)
{
    enum s3_remedy remedy = a->verdict.remedy;
    if (try_version(a) || try_range(a)) {
        /* as it is */
    } else if (may_mend(a, remedy ? remedy : S3_REMEDY_KEYS)) {
        a->before = a->verdict;
        if (!apply(a)) {
            if (!remedy)
                a->mended &= ~(1U << S3_REMEDY_KEYS); /* nothing was tried */
            return false;
        }
    } else {
        return false;
    }
    log_info("s3", "%s; trying again", a->verdict.why);
    if (s3_launch(a, 0) == 0)
        return true;
    if (!a->verdict.error)
        a->verdict = a->before;
    return false;
}

/* Sends a GET after a refused HEAD. False when there is to be none. */
static bool diagnose(struct s3_attempt *a)
{
    struct s3_request *r = a->request;

    /* 400 is rare, and stands for what can be mended: expired keys among others. */
    if (r->op != S3_HEAD || !is_refusal(&a->http) ||
        (!s3_lore_may_diagnose(r->context->lore, clock_monotonic_ms()) && a->http.status != 400))
        return false;
    a->refused = a->verdict;
    a->refused_status = a->http.status;
    a->diagnosing = true;
    if (s3_launch(a, 0) == 0)
        return true;
    a->diagnosing = false;
    a->verdict = a->refused;
    return false;
}

/* Nobody has heard of the endpoint since this request began. */
static void note_silence(struct s3_attempt *a)
{
    struct s3_lore *lore = a->request->context->lore;
    bool network = a->verdict.cause == RETRY_NETWORK || a->verdict.cause == RETRY_UNREACHABLE;
    if (a->http.status || !network || s3_lore_answered_since(lore, a->submitted_ms))
        return;
    s3_lore_silent(lore, clock_monotonic_ms(), a->verdict.why);
    a->probe = false;
}

void s3_give_up(struct s3_attempt *a)
{
    char why[sizeof(a->verdict.why)];
    const struct s3_request *r = a->request;
    bool network = a->verdict.cause == RETRY_NETWORK || a->verdict.cause == RETRY_UNREACHABLE;

    note_silence(a);
    /* Where nothing answers, the endpoint is the first thing to look at. */
    size_t len = strlen(a->verdict.why);
    if (!a->http.status && network && !strstr(a->verdict.why, "AWS_"))
        snprintf(a->verdict.why + len, sizeof(a->verdict.why) - len,
                 "; check AWS_ENDPOINT_URL_S3 and the network");
    if (r->result.attempts > 1 && a->verdict.cause != RETRY_NEVER)
        snprintf(why, sizeof(why), "%.300s (gave up after %" PRIu32 " attempts in %.1f s)",
                 a->verdict.why, r->result.attempts,
                 (double)(clock_monotonic_ms() - a->submitted_ms) / 1000);
    else
        snprintf(why, sizeof(why), "%s", a->verdict.why);
    s3_finish(a, a->verdict.error, why);
}

/* The GET after a refused HEAD is over. */
static void diagnosed(struct s3_attempt *a)
{
    bool told = is_refusal(&a->http);
    a->diagnosing = false;
    if (!told)
        a->verdict = a->refused; /* whatever else the GET met, the HEAD was refused */
    else if (a->verdict.remedy && mend(a))
        return;
    a->diagnosing = true;
    s3_give_up(a);
}

void s3_decide(struct http_request *http)
{
    struct s3_attempt *a = http->user;

    judge(a);
    if (a->diagnosing) {
        diagnosed(a);
    } else if (!a->verdict.error) {
        log_debug("s3", "%s %s: HTTP %d", http->method, http->url, http->status);
        s3_finish(a, 0, "");
    } else if (!mend(a) && !diagnose(a) && !try_again(a)) {
        s3_give_up(a);
    }
}
