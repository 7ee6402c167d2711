/* A request and its attempts:
 *
 *   s3_submit -> launch -> (keys) -> head -> body ... -> decide
 *                  ^                s3_receive.c        s3_decide.c
 *                  |                                     |- good ----------------> finish -> done
 *                  |                                     |- fault, mend: launch
 *                  |                                     |- fault, again: delay
 *                  '--- delay (policy/retry) <-----------'- fault, give up ------> finish
 *
 * The attempt lives from s3_submit to finish. */
#include "fetch/s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fetch/s3_attempt.h"
#include "fetch/s3_context.h"
#include "fetch/s3_xml.h"

#define CONNECT_TIMEOUT_MS    5000
#define FIRST_BYTE_TIMEOUT_MS 15000
#define LIST_TIMEOUT_MS       30000 /* a listing of a large bucket may think for a while */
#define STALL_TIMEOUT_MS      10000
#define DEFAULT_DEADLINE_MS   60000

/* ---- the end ---- */

static void attempt_free(struct s3_attempt *a)
{
    if (a->probe)
        s3_lore_forget_probe(a->request->context->lore, clock_monotonic_ms());
    keys_unref(a->keys);
    s3_wire_clear(&a->wire);
    s3_list_parser_free(a->parser);
    free(a);
}

void s3_finish(struct s3_attempt *a, int error, const char *why)
{
    struct s3_request *r = a->request;

    r->result.error = error;
    r->result.http_status = a->diagnosing ? a->refused_status : a->http.status;
    snprintf(r->result.why, sizeof(r->result.why), "%s", why);
    r->attempt = NULL;
    attempt_free(a);

    r->done(r);
}

/* ---- launching an attempt ---- */

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

/* Forgets the last attempt's answer. */
static void reset(struct s3_attempt *a)
{
    a->accepted = false;
    a->progress = false;
    a->document_len = 0;
    a->drained = 0;
    memset(&a->verdict, 0, sizeof(a->verdict));
    s3_list_parser_free(a->parser);
    a->parser = NULL;
    s3_wire_clear(&a->wire);
}

static void on_sent(struct http_request *http)
{
    struct s3_attempt *a = http->user;
    a->request->sent(a->request);
}

static bool may_hedge(struct http_request *http)
{
    struct s3_attempt *a = http->user;
    return s3_lore_hedge_take(a->request->context->lore, clock_monotonic_ms());
}

static bool is_awaited(struct http_request *http)
{
    struct s3_attempt *a = http->user;
    return a->request->awaited(a->request);
}

static int send_it(struct s3_attempt *a, int64_t delay_ms, int64_t left_ms)
{
    struct s3_request *r = a->request;
    struct s3_context *c = r->context;
    const struct s3_endpoint endpoint = s3_lore_endpoint(c->lore, &c->endpoint, r->bucket);
    a->now_s = clock_wall_s() + s3_lore_clock_offset_s(c->lore);
    a->whole = r->expects_whole && a->next == 0 && !a->use_range;
    const struct s3_wire_want want = {
        .method = r->op == S3_HEAD && !a->diagnosing ? "HEAD" : "GET",
        .first = a->next,
        .last = r->offset + r->length - 1,
        .whole = a->whole,
        .if_match = r->if_match ? r->if_match
                    : *a->etag  ? a->etag
                                : NULL,
        .version_id = a->use_version_id ? a->version_id : NULL,
        .access = &c->access,
        .memo = &c->memo,
        .now_s = a->now_s,
    };
    int error = s3_wire_build(&a->wire, &endpoint, &a->keys->credentials, r, &want);
    if (error)
        return error;

    memset(&a->http, 0, sizeof(a->http));
    a->http.method = want.method;
    a->http.url = a->wire.url;
    a->http.headers = a->wire.headers;
    a->http.ca_bundle = c->endpoint.ca_bundle;
    a->http.delay_ms = delay_ms;
    a->http.sent = r->sent && r->result.attempts == 0 ? on_sent : NULL;
    if ((r->urgent || r->awaited) && r->op != S3_LIST) {
        a->http.hedge = may_hedge;
        a->http.hedge_matters = r->urgent ? NULL : is_awaited;
        a->http.hedge_after_ms = s3_lore_hedge_after_ms(c->lore, clock_monotonic_ms());
    }
    a->http.head = s3_receive_head;
    a->http.body = s3_receive_body;
    a->http.done = s3_decide;
    a->http.user = a;
    set_timeouts(a, left_ms);
    r->result.attempts++;
    return http_submit(a->engine, &a->http);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_keys(const struct keys *a, const struct keys *b)
{
    return same_text(a->credentials.access_key, b->credentials.access_key) &&
           same_text(a->credentials.secret_key, b->credentials.secret_key) &&
           same_text(a->credentials.session_token, b->credentials.session_token);
}

static void on_keys(struct keyring_waiter *w)
{
    struct s3_attempt *a =
        (struct s3_attempt *)(void *)((char *)w - offsetof(struct s3_attempt, waiter));
    int error = s3_launch(a, a->delay_ms);
    if (!error)
        return;
    if (!a->verdict.error)
        s3_verdict_set(&a->verdict, error, RETRY_NEVER, "the request could not be started: %s",
                       strerror(-error));
    s3_give_up(a);
}

/* Keys to sign with, into a->keys. */
static int get_keys(struct s3_attempt *a)
{
    char why[sizeof(a->verdict.why)];
    struct keys *keys;
    a->waiter.ready = on_keys;
    int error = keyring_get(a->request->context->keyring, &a->waiter, &keys, why, sizeof(why));
    if (error == -EINPROGRESS)
        return error;
    if (error) {
        s3_verdict_set(&a->verdict, error, RETRY_NEVER, "%s", why);
        return error;
    }
    bool no_others = a->renewing && same_keys(keys, a->keys);
    a->renewing = false;
    keys_unref(a->keys);
    a->keys = keys;
    if (!no_others)
        return 0;
    a->verdict = a->before;
    return -EACCES;
}

int s3_launch(struct s3_attempt *a, int64_t delay_ms)
{
    struct s3_request *r = a->request;
    a->delay_ms = delay_ms;
    int error = get_keys(a);
    if (error)
        return error == -EINPROGRESS ? 0 : error;

    reset(a);
    int64_t now_ms = clock_monotonic_ms();
    int64_t left_ms = a->submitted_ms + r->deadline_ms - now_ms;
    int64_t turn_ms = s3_lore_delay_ms(r->context->lore, r->bucket,
                                       r->op == S3_LIST ? r->prefix : r->key, now_ms);
    if (turn_ms > left_ms / 2)
        turn_ms = left_ms > 0 ? left_ms / 2 : 0;
    if (turn_ms > delay_ms)
        delay_ms = turn_ms;
    return send_it(a, delay_ms, left_ms - delay_ms);
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
    if (r->version_id && strlen(r->version_id) < sizeof(a->version_id))
        strcpy(a->version_id, r->version_id);
    char why[sizeof(r->result.why)];
    enum s3_lore_answer may = s3_lore_may_ask(r->context->lore, a->submitted_ms, why, sizeof(why));
    if (may == S3_LORE_REFUSE) {
        s3_finish(a, -EIO, why);
        return 0;
    }
    a->probe = may == S3_LORE_PROBE;
    error = s3_launch(a, 0);
    if (error && a->verdict.error) {
        s3_give_up(a);
        return 0;
    }
    if (error) {
        r->attempt = NULL;
        attempt_free(a);
    }
    return error;
}
