/* What became of a transfer: curl's verdict as -errno and as a sentence for people. Used by
 * http_worker.c. */
#ifndef WARMPATH_FETCH_HTTP_WHY_H
#define WARMPATH_FETCH_HTTP_WHY_H

#include <curl/curl.h>

#include "fetch/http.h"

/* Sets r->error and r->why from curl's result. `detail` is curl's own text, may be "". */
void http_why_curl(struct http_request *r, CURL *easy, CURLcode code, const char *detail);

/* Sets r->error to -ETIMEDOUT, and r->why. `what` follows the host: "sent nothing for". */
void http_why_timeout(struct http_request *r, const char *what, int64_t timeout_ms);

/* Sets r->error to -ECANCELED, and r->why. */
void http_why_cancel(struct http_request *r, const char *why);

#endif
