/* One HTTP request and what came of it. For test_http*.c. */
#ifndef WARMPATH_TESTS_HTTP_CALL_H
#define WARMPATH_TESTS_HTTP_CALL_H

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "fetch/http.h"
#include "tests/unit/fake_server.h"

/* A request with its answer, and a way to wait for it. */
struct call {
    struct http_request http;
    sem_t done;
    char url[256];
    char body[65536];
    size_t len;
    char server[64]; /* the header "Server" as seen in done */
    bool refuse_head, refuse_body;
};

static inline bool on_head(struct http_request *r)
{
    return !((struct call *)r->user)->refuse_head;
}

static inline bool on_body(struct http_request *r, const void *data, size_t len)
{
    struct call *c = r->user;
    assert_true(c->len + len < sizeof(c->body));
    memcpy(c->body + c->len, data, len);
    c->len += len;
    return !c->refuse_body;
}

static inline void on_done(struct http_request *r)
{
    struct call *c = r->user;
    const char *server = http_header(r, "server");
    snprintf(c->server, sizeof(c->server), "%s", server ? server : "(none)");
    sem_post(&c->done);
}

static inline struct call *call_new(const char *base, const char *path)
{
    struct call *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    sem_init(&c->done, 0, 0);
    snprintf(c->url, sizeof(c->url), "%s%s", base, path);
    c->http = (struct http_request){.method = "GET",
                                    .url = c->url,
                                    .connect_timeout_ms = 5000,
                                    .first_byte_timeout_ms = 5000,
                                    .stall_timeout_ms = 5000,
                                    .total_timeout_ms = 10000,
                                    .head = on_head,
                                    .body = on_body,
                                    .done = on_done,
                                    .user = c};
    return c;
}

static inline void run(struct http_engine *e, struct call *c)
{
    assert_int_equal(http_submit(e, &c->http), 0);
    sem_wait(&c->done);
}

/* One call to a server with one step; the caller frees. */
static inline struct call *call_once(const struct fake_step *step, void (*change)(struct call *c))
{
    struct fake_server *s = fake_start(step, 1);
    struct http_engine *e = http_engine_new(1);
    struct call *c = call_new(s->url, "/");
    if (change)
        change(c);
    run(e, c);
    http_engine_free(e);
    fake_stop(s);
    fake_free(s);
    return c;
}

#endif
