/* One engine and one context against a script, for several calls. */
#ifndef WARMPATH_TESTS_S3_SESSION_H
#define WARMPATH_TESTS_S3_SESSION_H

#include "tests/unit/s3_call.h"

#define GOOD OK_206("0-9/10", "10") "0123456789"

struct session {
    struct fake_server *server;
    struct http_engine *engine;
    struct s3_context *context;
};

static inline void begin(struct session *s, const struct fake_step *steps, size_t n)
{
    s->server = fake_start(steps, n);
    s->engine = http_engine_new(1);
    s->context = context_for(s->server->url + strlen("http://"), true);
}

/* Leaves the server for a look. */
static inline struct fake_server *end(struct session *s)
{
    http_engine_free(s->engine);
    s3_context_unref(s->context);
    fake_stop(s->server);
    return s->server;
}

static inline void get(struct session *s, struct call *c)
{
    call_init(c, S3_GET);
    c->s3.deadline_ms = 3000;
    call_run(c, s->engine, s->context);
}

#endif
