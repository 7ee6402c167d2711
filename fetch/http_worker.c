/* One worker thread: submitted → (delayed) → waiting → active → finished.
 *
 *   http_submit() ──mutex──> inbox ──┬─ delay ──> delayed (sorted by time) ──┐
 *                                    └───────────────────────────────────────┴> waiting (FIFO)
 *                                                      at most HTTP_ACTIVE_PER_THREAD ──> active
 *
 * Only the inbox is shared; everything else belongs to the worker's thread. Timeouts other than
 * connecting are kept here and not by curl, which counts in whole seconds and knows no time to the
 * first byte. */
#include "fetch/http_worker.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/thread.h"
#include "fetch/http_events.h"
#include "fetch/http_hedge.h"
#include "fetch/http_transfer.h"
#include "fetch/http_why.h"

#define IDLE_POLL_MS 60000

struct http_worker {
    pthread_t thread;
    CURLM *multi;
    struct http_events events;
    atomic_uint load; /* requests that it has, delayed ones too */

    pthread_mutex_t lock; /* guards the next two */
    struct http_transfer *inbox;
    bool stopping;

    struct http_transfer *delayed, *waiting, *active;
    size_t n_active;
    size_t n_hedges; /* of the active ones, those whose request has another */
    CURL *idle[HTTP_ACTIVE_PER_THREAD];
    size_t n_idle;
    int64_t next_check_ms; /* no timeout can strike before */
};

/* ---- beginning and ending a transfer ---- */

static void recycle(struct http_transfer *t)
{
    struct http_worker *w = t->worker;
    if (t->easy) {
        curl_easy_reset(t->easy); /* keeps connections, TLS sessions and DNS */
        if (w->n_idle < HTTP_ACTIVE_PER_THREAD)
            w->idle[w->n_idle++] = t->easy;
        else
            curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->instead);
    free(t);
}

/* Hands the request back, unless another transfer is on its way for it. The transfer is in no list
 * and not in the multi handle any more. */
static void finish(struct http_transfer *t)
{
    struct http_worker *w = t->worker;
    struct http_request *r = t->request;

    if (http_hedge_leave(t)) {
        w->n_hedges--;
    } else {
        atomic_fetch_sub(&w->load, 1);
        r->done(r); /* may free r, may submit it anew: r->transfer is t no longer then */
    }
    recycle(t);
}

static void end_active(struct http_worker *w, struct http_transfer *t)
{
    curl_multi_remove_handle(w->multi, t->easy);
    DL_DELETE(w->active, t);
    w->n_active--;
    finish(t);
}

static void start(struct http_worker *w, struct http_transfer *t, int64_t now_ms)
{
    t->easy = w->n_idle ? w->idle[--w->n_idle] : curl_easy_init();
    if (!t->easy || !http_transfer_set_up(t)) {
        t->request->error = -ENOMEM;
        snprintf(t->request->why, sizeof(t->request->why), "out of memory");
        finish(t);
        return;
    }
    t->started_ms = now_ms;
    if (!t->first_started_ms)
        t->first_started_ms = now_ms;
    DL_APPEND(w->active, t);
    w->n_active++;
    w->next_check_ms = 0;
    CURLMcode code = curl_multi_add_handle(w->multi, t->easy);
    if (code != CURLM_OK) {
        http_why_curl(t->request, t->easy, CURLE_FAILED_INIT, curl_multi_strerror(code));
        end_active(w, t);
    }
}

/* New ones are at the list's end. */
static void tell_sent(struct http_worker *w)
{
    struct http_transfer *t = w->active ? w->active->prev : NULL;
    for (; t && !t->told_sent; t = t == w->active ? NULL : t->prev) {
        t->told_sent = true;
        if (t->request->sent && !t->headers_complete)
            t->request->sent(t->request);
    }
}

/* curl forbids it in a callback. */
static void drop_lost(struct http_worker *w)
{
    struct http_transfer *t, *next;
    if (w->n_hedges == 0)
        return;
    DL_FOREACH_SAFE(w->active, t, next)
    if (t->lost)
        end_active(w, t);
}

/* False: its host's name is all that there is. */
static bool goes_on_without_name(struct http_worker *w, struct http_transfer *t, CURLcode code)
{
    if (!http_transfer_learn(t, code, clock_monotonic_ms()))
        return false;
    curl_multi_remove_handle(w->multi, t->easy);
    return curl_multi_add_handle(w->multi, t->easy) == CURLM_OK;
}

static void reap(struct http_worker *w)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(w->multi, &left))) {
        struct http_transfer *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        if (goes_on_without_name(w, t, code))
            continue;
        /* curl takes an end of file in the headers for their end */
        bool is_whole = t->headers_complete || t->request->connect_only;
        if (t->refused)
            http_why_cancel(t->request, "given up by the caller");
        else if (code != CURLE_OK)
            http_why_curl(t->request, t->easy, code, t->detail);
        else if (!is_whole)
            http_why_curl(t->request, t->easy, CURLE_RECV_ERROR,
                          "it was closed before its answer's headers were complete");
        end_active(w, t);
    }
}

/* ---- timeouts ---- */

/* Sends a request a second time where its answer is late. */
static void hedge(struct http_worker *w, struct http_transfer *t, int64_t now_ms)
{
    int64_t due_ms = http_hedge_due_ms(t, now_ms);
    if (due_ms > now_ms) {
        if (due_ms < w->next_check_ms)
            w->next_check_ms = due_ms;
        return;
    }
    struct http_transfer *twin = w->n_active < HTTP_ACTIVE_PER_THREAD ? http_hedge_make(t) : NULL;
    if (!twin)
        return;
    w->n_hedges++;
    start(w, twin, now_ms);
}

/* Ends the transfers of a list whose time is over. */
static void expire(struct http_worker *w, struct http_transfer **list, int64_t now_ms)
{
    struct http_transfer *t, *next;
    DL_FOREACH_SAFE(*list, t, next)
    {
        const char *what;
        int64_t timeout_ms;
        int64_t limit = http_transfer_limit_ms(t, now_ms, &what, &timeout_ms);
        if (limit > now_ms) {
            if (limit < w->next_check_ms)
                w->next_check_ms = limit;
            if (list == &w->active)
                hedge(w, t, now_ms);
            continue;
        }
        http_why_timeout(t->request, what, timeout_ms);
        if (list == &w->active) {
            end_active(w, t);
        } else {
            DL_DELETE(*list, t);
            finish(t);
        }
    }
}

static void check_timeouts(struct http_worker *w, int64_t now_ms)
{
    if (now_ms < w->next_check_ms)
        return;
    w->next_check_ms = now_ms + IDLE_POLL_MS;
    expire(w, &w->active, now_ms);
    expire(w, &w->waiting, now_ms);
}

/* ---- the thread ---- */

static int by_due(const struct http_transfer *a, const struct http_transfer *b)
{
    return a->due_ms < b->due_ms ? -1 : a->due_ms > b->due_ms;
}

/* Empties the inbox. False when the engine is being freed. */
static bool collect(struct http_worker *w, int64_t now_ms)
{
    struct http_transfer *t, *next;

    pthread_mutex_lock(&w->lock);
    struct http_transfer *fresh = w->inbox;
    w->inbox = NULL;
    bool stopping = w->stopping;
    pthread_mutex_unlock(&w->lock);

    DL_FOREACH_SAFE(fresh, t, next)
    {
        DL_DELETE(fresh, t);
        if (t->due_ms > now_ms) {
            DL_INSERT_INORDER(w->delayed, t, by_due);
        } else {
            DL_APPEND(w->waiting, t);
            w->next_check_ms = 0;
        }
    }
    return !stopping;
}

static void start_due(struct http_worker *w, int64_t now_ms)
{
    while (w->delayed && w->delayed->due_ms <= now_ms) {
        struct http_transfer *t = w->delayed;
        DL_DELETE(w->delayed, t);
        DL_APPEND(w->waiting, t);
        w->next_check_ms = 0;
    }
    while (w->waiting && w->n_active < HTTP_ACTIVE_PER_THREAD) {
        struct http_transfer *t = w->waiting;
        DL_DELETE(w->waiting, t);
        start(w, t, now_ms);
    }
}

static void cancel_all(struct http_worker *w)
{
    struct http_transfer **lists[] = {&w->active, &w->waiting, &w->delayed};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        while (*lists[i]) {
            struct http_transfer *t = *lists[i];
            http_why_cancel(t->request, "ended: the agent is stopping");
            if (i == 0) {
                end_active(w, t);
            } else {
                DL_DELETE(*lists[i], t);
                finish(t);
            }
        }
    }
}

static int poll_ms(const struct http_worker *w, int64_t now_ms)
{
    int64_t until = w->next_check_ms;
    if (w->delayed && w->delayed->due_ms < until)
        until = w->delayed->due_ms;
    int64_t wait = until - now_ms;
    return wait < 0 ? 0 : wait > IDLE_POLL_MS ? IDLE_POLL_MS : (int)wait;
}

static void *work(void *arg)
{
    struct http_worker *w = arg;

    while (collect(w, clock_monotonic_ms())) {
        start_due(w, clock_monotonic_ms());
        http_events_work(&w->events, poll_ms(w, clock_monotonic_ms()));
        drop_lost(w);
        tell_sent(w);
        reap(w);
        check_timeouts(w, clock_monotonic_ms());
    }
    cancel_all(w);
    return NULL;
}

/* ---- for the engine ---- */

unsigned http_worker_load(const struct http_worker *w)
{
    return atomic_load(&w->load);
}

int http_worker_take(struct http_worker *w, struct http_request *r)
{
    struct http_transfer *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;

    t->request = r;
    t->worker = w;
    t->next_check_ms = &w->next_check_ms;
    t->due_ms = clock_monotonic_ms() + (r->delay_ms > 0 ? r->delay_ms : 0);
    r->error = 0;
    r->status = 0;
    r->first_byte_ms = 0;
    r->hedged = r->hedge_won = false;
    r->why[0] = '\0';

    pthread_mutex_lock(&w->lock);
    bool stopping = w->stopping;
    bool wake = !w->inbox; /* otherwise somebody has done so, and the worker has not looked yet */
    if (!stopping) {
        r->transfer = t;
        atomic_fetch_add(&w->load, 1);
        DL_APPEND(w->inbox, t);
    }
    pthread_mutex_unlock(&w->lock);

    if (stopping) {
        free(t);
        return -ECANCELED;
    }
    if (wake)
        http_events_wake(&w->events);
    return 0;
}

struct http_worker *http_worker_start(void)
{
    struct http_worker *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->multi = curl_multi_init();
    if (!w->multi) {
        free(w);
        errno = ENOMEM;
        return NULL;
    }
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_ACTIVE_PER_THREAD);
    int error = -http_events_open(&w->events, w->multi);
    if (error) {
        curl_multi_cleanup(w->multi);
        free(w);
        errno = error;
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    error = thread_start_deaf(&w->thread, "http", work, w);
    if (error) {
        http_worker_free(w);
        errno = error;
        return NULL;
    }
    return w;
}

void http_worker_ask_to_stop(struct http_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_mutex_unlock(&w->lock);
    http_events_wake(&w->events);
}

void http_worker_join(struct http_worker *w)
{
    pthread_join(w->thread, NULL);
}

void http_worker_free(struct http_worker *w)
{
    while (w->n_idle)
        curl_easy_cleanup(w->idle[--w->n_idle]);
    curl_multi_cleanup(w->multi);
    http_events_close(&w->events);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
