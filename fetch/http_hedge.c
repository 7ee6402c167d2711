#include "fetch/http_hedge.h"

#include <stdlib.h>

#include "common/clock.h"

#define LOOK_AGAIN_MS 20

int64_t http_hedge_due_ms(const struct http_transfer *t, int64_t now_ms)
{
    struct http_request *r = t->request;
    if (!r->hedge || r->hedge_after_ms <= 0 || t->asked_hedge || t->headers_complete || t->lost)
        return INT64_MAX;
    int64_t due_ms = t->started_ms + r->hedge_after_ms;
    bool counts = due_ms > now_ms || !r->hedge_matters || r->hedge_matters(r);
    return counts ? due_ms : now_ms + LOOK_AGAIN_MS;
}

struct http_transfer *http_hedge_make(struct http_transfer *t)
{
    struct http_request *r = t->request;
    t->asked_hedge = true;
    struct http_transfer *twin = r->hedge(r) ? calloc(1, sizeof(*twin)) : NULL;
    if (!twin)
        return NULL;
    r->hedged = true;
    *twin = (struct http_transfer){.request = r,
                                   .worker = t->worker,
                                   .due_ms = t->due_ms,
                                   .first_started_ms = t->first_started_ms,
                                   .next_check_ms = t->next_check_ms,
                                   .told_sent = true,
                                   .asked_hedge = true,
                                   .is_hedge = true,
                                   .twin = t};
    t->twin = twin;
    return twin;
}

void http_hedge_won(struct http_transfer *t)
{
    struct http_request *r = t->request;
    r->transfer = t;
    r->hedge_won = t->is_hedge;
    r->first_byte_ms = clock_monotonic_ms() - t->first_started_ms;
    if (!t->twin)
        return;
    t->twin->lost = true;
    t->twin->twin = NULL;
    t->twin = NULL;
}

bool http_hedge_leave(struct http_transfer *t)
{
    struct http_request *r = t->request;
    if (t->lost)
        return true; /* the request may be gone already */
    if (!t->twin)
        return false;
    t->twin->twin = NULL;
    r->transfer = t->twin;
    r->error = 0;
    r->status = 0;
    r->why[0] = '\0';
    return true;
}
