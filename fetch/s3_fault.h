/* What a fault of S3's means: which errno, which sentence for people, what would mend it, and is it
 * worth another try. For s3_decide.c; reads the response through http_header(). Thread-safe. */
#ifndef WARMPATH_FETCH_S3_FAULT_H
#define WARMPATH_FETCH_S3_FAULT_H

#include "fetch/s3_answer.h"

/* No answer, or half of one: from http.error and http.why. */
void s3_fault_network(const struct http_request *http, struct s3_verdict *v);

/* Any status that isn't success; `document` is the body, as far as it came, and `now_s` the clock
 * that the request was dated by. */
void s3_fault_answer(const struct http_request *http, const struct s3_request *request,
                     const void *document, size_t len, int64_t now_s, struct s3_verdict *v);

#endif
