/* One request to S3 and what came of it, against a scripted server. For test_s3*.c. */
#ifndef WARMPATH_TESTS_S3_CALL_H
#define WARMPATH_TESTS_S3_CALL_H

#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fetch/s3.h"
#include "tests/unit/fake_server.h"

#define ETAG "\"e1\""
#define OK_206(range, len)                                                                         \
    "HTTP/1.1 206 Partial Content\r\nETag: " ETAG "\r\nContent-Range: bytes " range                \
    "\r\nContent-Length: " len "\r\nLast-Modified: Thu, 01 Jan 1970 00:00:10 GMT\r\n\r\n"
/* To be followed by FAKE_CLOSE. */
#define ERROR_DOCUMENT(status, code)                                                               \
    "HTTP/1.1 " status "\r\nContent-Type: application/xml\r\n\r\n<Error><Code>" code               \
    "</Code></Error>"
#define NO_BODY(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

/* A request with what came of it. */
struct call {
    struct s3_request s3;
    sem_t done;
    char body[256];
    uint64_t next; /* offset that the next piece must have */
    int refuse;    /* what write returns */
    char entries[512];
    char token[64];
};

static inline int on_write(struct s3_request *r, uint64_t offset, const void *data, size_t len)
{
    struct call *c = r->user;
    size_t have = strlen(c->body);
    assert_int_equal(offset, c->next);
    assert_true(len > 0 && have + len < sizeof(c->body));
    assert_string_not_equal(r->meta.etag, "");
    memcpy(c->body + have, data, len);
    c->next += len;
    return c->refuse;
}

static inline void on_entry(struct s3_request *r, const struct s3_entry *entry)
{
    struct call *c = r->user;
    size_t have = strlen(c->entries);
    snprintf(c->entries + have, sizeof(c->entries) - have, "%s%s:%d;", entry->name,
             entry->is_prefix ? "*" : "", (int)entry->meta.size_bytes);
}

static inline void on_done(struct s3_request *r)
{
    struct call *c = r->user;
    snprintf(c->token, sizeof(c->token), "%s", r->next_token ? r->next_token : "(none)");
    free(r->next_token);
    sem_post(&c->done);
}

/* As a header has it: now, and so many seconds on. */
static inline void http_date(char *out, size_t size, int64_t offset_s)
{
    time_t when = time(NULL) + (time_t)offset_s;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(out, size, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static inline struct s3_context *context_for(const char *authority, bool with_keys)
{
    struct s3_endpoint e = {.scheme = strdup("http"),
                            .authority = strdup(authority),
                            .base_path = strdup(""),
                            .region = strdup("us-east-1"),
                            .style = S3_STYLE_PATH};
    struct credentials c = {.anonymous = !with_keys};
    if (with_keys) {
        c.access_key = strdup("AKID");
        c.secret_key = strdup("secret");
        c.session_token = strdup("token");
    }
    return s3_context_new(&e, &c);
}

static inline void call_init(struct call *c, enum s3_op op)
{
    memset(c, 0, sizeof(*c));
    sem_init(&c->done, 0, 0);
    c->s3 = (struct s3_request){.op = op,
                                .bucket = "bucket",
                                .key = "a key+%#?",
                                .length = 10,
                                .max_keys = 100,
                                .deadline_ms = 20000,
                                .write = on_write,
                                .entry = on_entry,
                                .done = on_done,
                                .user = c};
}

static inline void call_run(struct call *c, struct http_engine *e, struct s3_context *context)
{
    c->s3.context = context;
    c->next = c->s3.offset;
    assert_int_equal(s3_submit(e, &c->s3), 0);
    sem_wait(&c->done);
}

/* Runs the call against a server with this script, and leaves the server stopped, for a look. */
static inline struct fake_server *call_script(struct call *c, const struct fake_step *steps,
                                              size_t n)
{
    struct fake_server *s = fake_start(steps, n);
    struct http_engine *e = http_engine_new(1);
    struct s3_context *context = context_for(s->url + strlen("http://"), true);
    call_run(c, e, context);
    http_engine_free(e);
    s3_context_unref(context);
    fake_stop(s);
    return s;
}

#define CALL_SCRIPT(c, steps) call_script((c), (steps), sizeof(steps) / sizeof((steps)[0]))

#endif
