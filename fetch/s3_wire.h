/* An S3 request as it goes on the wire: URL and headers, signed. Used by s3.c. Thread-safe. */
#ifndef WARMPATH_FETCH_S3_WIRE_H
#define WARMPATH_FETCH_S3_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "fetch/credentials.h"
#include "fetch/s3.h"
#include "fetch/sigv4.h"

#define S3_WIRE_MAX_HEADERS 16

struct s3_wire {
    char *url;
    const char *headers[S3_WIRE_MAX_HEADERS + 1]; /* NULL-terminated; owned */
    size_t n_headers;
};

/* What one attempt asks for, beyond what stands in the request itself. */
struct s3_wire_want {
    const char *method;
    uint64_t first; /* GET: bytes first to last, both inclusive */
    uint64_t last;
    bool whole;             /* GET: no range */
    const char *if_match;   /* NULL: none */
    const char *version_id; /* NULL: the newest */
    const struct s3_access *access;
    struct sigv4_memo *memo; /* of the signing key; NULL: none */
    int64_t now_s;           /* wall clock: the signature's date */
};

/* 0, or -ENOMEM / -EINVAL; `w` is empty then. */
int s3_wire_build(struct s3_wire *w, const struct s3_endpoint *endpoint,
                  const struct credentials *credentials, const struct s3_request *request,
                  const struct s3_wire_want *want);
void s3_wire_clear(struct s3_wire *w);

#endif
