/* Asynchronous HTTP over libcurl: a few threads, each with its own multi handle and pooled
 * connections (keep-alive, TLS session reuse). Knows nothing of S3.
 *
 * A request is owned by the caller until http_submit() succeeds, by the engine until `done`
 * is called, then by the caller again. `sent`, `quiet`, `head`, `body` and `done` run on the
 * engine's thread and must not block for long; they may submit further requests. One attempt a
 * submit: retries are the caller's. Redirects are not followed, bodies are handed on as they were
 * sent. */
#ifndef WARMPATH_FETCH_HTTP_H
#define WARMPATH_FETCH_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests that one thread has on the wire at once; more wait their turn. */
#define HTTP_ACTIVE_PER_THREAD 64
/* See server_heard_ms. */
#define HTTP_WAIT_TIMES 4

struct http_engine;

struct http_request {
    /* in */
    const char *method;         /* "GET", "HEAD", … */
    const char *url;            /* borrowed until done, as are the following */
    const char *const *headers; /* NULL-terminated "Name: value" */
    const char *ca_bundle;      /* NULL: system's */
    const char *client_cert;    /* NULL: none; PEM files, as is the key */
    const char *client_key;
    bool connect_only; /* over a connection of its own, which is closed again: nothing is sent */
    int64_t connect_timeout_ms;    /* 0: a default that is finite, as for the following */
    int64_t first_byte_timeout_ms; /* from sending to the first header */
    int64_t stall_timeout_ms;      /* no byte of the answer for that long ends the request */
    int64_t total_timeout_ms;      /* all in all, counted once delay_ms is over */
    int64_t delay_ms;              /* start that much later (backoff); 0 at once */
    /* When the server was last heard of at all, in monotonic ms (NULL: nobody notes it). A request
     * that waits in a server's queue is no sign of its death: the timeouts to the first byte and
     * for a stall count from that moment, but are never more than HTTP_WAIT_TIMES as long. */
    const atomic_int_fast64_t *server_heard_ms;
    /* Half of the time that it may be silent is over: called once for each silence, to look for a
     * sign of life, for which the other half is left. May be NULL. */
    void (*quiet)(struct http_request *r);

    /* When no headers have come so many ms after the start (0: never mind), `hedge` is asked, once,
     * whether to send the request a second time, over another connection. The one that answers
     * first is heard, and `head`, `body`, `done` are called as if it had been alone. */
    int64_t hedge_after_ms;
    bool (*hedge)(struct http_request *r);
    /* Does it matter? Asked before, every few milliseconds from then on, until it does. On the
     * engine's thread. NULL: it does. */
    bool (*hedge_matters)(struct http_request *r);
    /* Handed to the network: time to prepare for the answer, which takes a while. Called once,
     * before the following. May be NULL. */
    void (*sent)(struct http_request *r);
    /* Status line and headers are complete; inspect with http_header(). Return false to give
     * the request up (done gets error -ECANCELED). May be NULL. */
    bool (*head)(struct http_request *r);
    /* A piece of the body. Return false to give up. May be NULL: body is dropped. */
    bool (*body)(struct http_request *r, const void *data, size_t len);
    void (*done)(struct http_request *r);
    void *user;

    /* out, valid in `head` (status, headers) and `done` */
    /* 0 when a complete response came, whatever its status (or the connection, where that is all);
     * else
     *   -ECONNREFUSED  no connection to the server        -ENXIO         its name is not known
     *   -EHOSTUNREACH  none within connect_timeout_ms     -ECONNRESET    the connection broke
     *   -ETIMEDOUT     one of the other timeouts
     *   -ENODATA       the body ended before its length   -EKEYREJECTED  certificate not trusted
     *   -EPROTO        not HTTP, or TLS failed            -EINVAL        malformed URL
     *   -ECANCELED     a callback or the engine gave up   -ENOMEM, -EIO  the rest */
    int error;
    int64_t first_byte_ms; /* from the start to the headers; 0 when none came */
    bool hedged;           /* it was sent twice, */
    bool hedge_won;        /* and the second was heard */
    int status;            /* HTTP status, 0 when none came */
    char why[256];         /* what went wrong, for people: host, port, cause */

    struct http_transfer *transfer; /* engine's own */
};

/* n_threads >= 1. NULL with errno when threads or curl cannot be had. */
struct http_engine *http_engine_new(int n_threads);
/* Ends all requests with -ECANCELED (done is called), joins the threads. Not from a callback. */
void http_engine_free(struct http_engine *e);

/* 0 or -errno (then done is not called). Thread-safe, never blocks. Requests are spread over
 * the threads so that one stream of parallel requests uses them all. */
int http_submit(struct http_engine *e, struct http_request *r);

/* A response header's value, or NULL; the first of several of the same name. Borrowed,
 * valid until done returns. Only from head, body and done. */
const char *http_header(const struct http_request *r, const char *name);

#endif
