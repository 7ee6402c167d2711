/* A request on its way; for s3.c, which decides, and s3_receive.c, which takes what comes. Each
 * callback runs on an engine thread, one after the other, so that it needs no lock. */
#ifndef WARMPATH_FETCH_S3_ATTEMPT_H
#define WARMPATH_FETCH_S3_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/http.h"
#include "fetch/keyring.h"
#include "fetch/s3.h"
#include "fetch/s3_answer.h"
#include "fetch/s3_wire.h"

#define S3_DOCUMENT_MAX_BYTES 8192

struct s3_attempt {
    struct http_request http;
    struct http_engine *engine;
    struct s3_request *request;
    int64_t submitted_ms;
    uint32_t failed_in_row; /* attempts without progress */

    /* Keys, and what was mended already. */
    struct keyring_waiter waiter;
    int64_t delay_ms;    /* to be kept once keys are there */
    struct keys *keys;   /* this attempt's; referenced */
    unsigned mended;     /* bits of enum s3_remedy */
    int moves;           /* redirects followed */
    bool renewing;       /* these keys were refused: other ones are wanted */
    bool probe;          /* for the breaker */
    bool use_range;      /* the object is not as small as expected */
    bool use_version_id; /* the object was replaced: ask for the version */
    char version_id[S3_VERSION_MAX];
    struct s3_verdict before; /* the two above: what to say should they not help */

    /* The object so far (GET). */
    char etag[S3_ETAG_MAX]; /* of the first good answer; "": none yet */
    uint64_t next;          /* offset of the next byte for the caller */
    uint64_t end;           /* this answer's body ends before it */

    /* This attempt. */
    struct s3_wire wire;
    int64_t now_s;             /* what it was dated by */
    bool whole;                /* asked for without a range */
    bool accepted;             /* the body is what was asked for */
    bool progress;             /* and some of it came */
    bool diagnosing;           /* a GET in place of a refused HEAD, for its error document */
    struct s3_verdict refused; /* HEAD's verdict while diagnosing, and its status */
    int refused_status;
    struct s3_verdict verdict; /* set by a callback that gave up */
    struct s3_list_parser *parser;
    size_t document_len, drained;
    char document[S3_DOCUMENT_MAX_BYTES];
};

/* Callbacks of the attempt's http request. */
bool s3_receive_head(struct http_request *http);
bool s3_receive_body(struct http_request *http, const void *data, size_t len);

/* Asks for what is still missing, once there are keys. 0, or -errno; with a->verdict set where it
 * has one (no keys). */
int s3_launch(struct s3_attempt *a, int64_t delay_ms);

/* Calls done. Neither the attempt nor the request may be touched afterwards. */
void s3_finish(struct s3_attempt *a, int error, const char *why);

/* The attempt is over: finishes the request, or launches another attempt. */
void s3_decide(struct http_request *http);
/* Finishes with a->verdict. */
void s3_give_up(struct s3_attempt *a);

/* A listing is complete: hands its entries on. False with a verdict when it isn't right. */
bool s3_receive_page(struct s3_attempt *a);

#endif
