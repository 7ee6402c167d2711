/* One attempt on its way through a worker (fetch/http_worker.h): what curl is told, and what it
 * calls back. Belongs to the worker's thread once it has left the inbox. */
#ifndef WARMPATH_FETCH_HTTP_TRANSFER_H
#define WARMPATH_FETCH_HTTP_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "fetch/http.h"

struct http_worker;

/* Its easy handle is borrowed from the worker's pool while it is active. */
struct http_transfer {
    struct http_request *request;
    struct http_worker *worker;
    struct http_transfer *prev, *next;
    struct curl_slist *headers;
    struct curl_slist *instead; /* CURLOPT_CONNECT_TO: its host's name can't be resolved */
    CURL *easy;
    int64_t due_ms;           /* may start from here on */
    int64_t started_ms;       /* became active */
    int64_t last_heard_ms;    /* last byte of the answer; 0: none yet */
    int64_t quiet_of_ms;      /* the limit that was near when `quiet` was called, */
    int64_t quiet_told_ms;    /* and when that was */
    int64_t *next_check_ms;   /* the worker's; set to 0 when the limit has come nearer */
    int64_t first_started_ms; /* the same, of the first of two transfers of a request */
    bool told_sent;
    bool asked_hedge; /* see http_hedge.h, as for the following */
    bool is_hedge;
    bool lost;
    struct http_transfer *twin;
    bool headers_complete;
    bool refused; /* a callback returned false */
    char detail[CURL_ERROR_SIZE];
};

/* Prepares t->easy for t->request. False when memory is short. */
bool http_transfer_set_up(struct http_transfer *t);

/* It has connected, or `code` says that it could not: what that tells of its host's name. True: the
 * name can't be resolved, but t->easy is told of an address, and may be tried again. */
bool http_transfer_learn(struct http_transfer *t, CURLcode code, int64_t now_ms);

/* When the transfer runs out of time if nothing more is heard; what to say then, for
 * http_why_timeout(). The request's `quiet` has its moment before that: it is called when that has
 * come, and what is returned is no later. */
int64_t http_transfer_limit_ms(struct http_transfer *t, int64_t now_ms, const char **what,
                               int64_t *timeout_ms);

#endif
