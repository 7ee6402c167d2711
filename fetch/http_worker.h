/* One thread of an HTTP engine, with its own multi handle and pooled connections. For http.c, which
 * spreads requests over a few of these; callbacks are called as fetch/http.h says. */
#ifndef WARMPATH_FETCH_HTTP_WORKER_H
#define WARMPATH_FETCH_HTTP_WORKER_H

#include "fetch/http.h"

struct http_worker;

/* NULL with errno. */
struct http_worker *http_worker_start(void);

/* Has it carry out a request: 0, or -errno (then done is not called). Any thread, never blocks. */
int http_worker_take(struct http_worker *w, struct http_request *r);
/* Requests that it has, delayed ones too. Any thread. */
unsigned http_worker_load(const struct http_worker *w);

/* Takes no more, and ends all that it has with -ECANCELED; then its thread can be joined, and once
 * no other worker's callback can give it anything any more, it is freed. */
void http_worker_ask_to_stop(struct http_worker *w);
void http_worker_join(struct http_worker *w);
void http_worker_free(struct http_worker *w);

#endif
