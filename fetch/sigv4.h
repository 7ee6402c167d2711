/* AWS Signature Version 4 over one request. Thread-safe.
 * Source: "Signature Version 4 signing process" and, for S3's unnormalised paths and
 * UNSIGNED-PAYLOAD, "Authenticating Requests (AWS Signature Version 4)" of the S3 API Reference. */
#ifndef WARMPATH_FETCH_SIGV4_H
#define WARMPATH_FETCH_SIGV4_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sha256.h"
#include "common/text.h"
#include "fetch/credentials.h"

struct sigv4_header {
    const char *name; /* any case */
    const char *value;
};

/* Remembers the key of the last signature, which changes with the secret key, the day, the region
 * and the service: to derive it takes four of a signature's five HMACs. */
struct sigv4_memo {
    pthread_mutex_t lock; /* guards the rest */
    bool filled;
    uint8_t of[SHA256_BYTES]; /* what the key was derived from, hashed */
    uint8_t key[SHA256_BYTES];
};

void sigv4_memo_init(struct sigv4_memo *m);
/* Wipes it. */
void sigv4_memo_clear(struct sigv4_memo *m);

struct sigv4_request {
    const char *method;
    const char *path;                   /* URI-encoded, as it goes on the wire */
    const char *query;                  /* canonical already: encoded, sorted; "" when none */
    const char *payload_sha256;         /* hex, or "UNSIGNED-PAYLOAD" */
    const struct sigv4_header *headers; /* all that is signed; must hold host and x-amz-date */
    size_t n_headers;
    const char *region;
    const char *service;     /* "s3" */
    int64_t when_s;          /* wall clock, seconds; must agree with x-amz-date */
    struct sigv4_memo *memo; /* NULL: none */
};

/* Writes the Authorization header's value. Length, or -ENOSPC, -EINVAL (no keys, no host,
 * or x-amz-date is not when_s). */
int sigv4_authorization(const struct sigv4_request *r, const struct credentials *c, char *out,
                        size_t out_size);

/* "20130524T000000Z" for x-amz-date. `out` holds at least 17 bytes. */
void sigv4_date(int64_t when_s, char out[17]);

/* Percent-encodes as SigV4 asks (unreserved A-Z a-z 0-9 - _ . ~; '/' kept when keep_slash).
 * Length, or -ENOSPC. */
int sigv4_encode(const char *in, size_t in_len, int keep_slash, char *out, size_t out_size);

/* The same, put behind a text. */
void sigv4_put_encoded(UT_string *out, const char *text, int keep_slash);

#endif
