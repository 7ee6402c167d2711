/* An answer of S3's that claims success: is it what was asked for? The verdict, if it isn't (or if
 * S3 says so itself: fetch/s3_fault.h), is an errno, a sentence, and whether it is worth another
 * try. For s3*.c; reads the response through http_header(). Thread-safe. */
#ifndef WARMPATH_FETCH_S3_ANSWER_H
#define WARMPATH_FETCH_S3_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/http.h"
#include "fetch/s3.h"
#include "policy/retry.h"

/* What another try needs to fare better. */
enum s3_remedy {
    S3_REMEDY_NONE,
    S3_REMEDY_KEYS,   /* newer ones */
    S3_REMEDY_REGION, /* to ask at `region` or `location` */
    S3_REMEDY_CLOCK,  /* to be off by `offset_s` */
};

struct s3_verdict {
    int error; /* 0: as asked for */
    enum retry_cause cause;
    int64_t retry_after_ms;
    enum s3_remedy remedy;
    int64_t offset_s;
    char region[64];
    char location[256]; /* "https://host…" */
    char why[384];
};

/* Sets error, cause and the formatted sentence. Returns false, for `return s3_verdict_set(…)`. */
__attribute__((format(printf, 4, 5))) bool
s3_verdict_set(struct s3_verdict *v, int error, enum retry_cause cause, const char *format, ...);

/* HEAD, 200: size, date and ETag into `meta`. False with a verdict when something is missing. */
bool s3_answer_head(const struct http_request *http, struct s3_meta *meta, struct s3_verdict *v);

/* GET, 200 or 206: is the body bytes [first, …] of a version that carries `etag` ("" any)? Fills
 * `meta` and `end`, where the body ends: `last` + 1 or the object's end. False with a verdict
 * otherwise. */
bool s3_answer_get(const struct http_request *http, uint64_t first, uint64_t last, const char *etag,
                   struct s3_meta *meta, uint64_t *end, struct s3_verdict *v);

/* Decimal digits, all of them, up to `stop`; moves *text behind it. */
bool s3_answer_number(const char **text, char stop, uint64_t *out);
/* A header that is a date; 0 where there is none. */
int64_t s3_answer_date_s(const struct http_request *http, const char *name);

#endif
