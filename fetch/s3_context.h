/* The inside of struct s3_context, for s3.c alone; the outside is in s3.h. */
#ifndef WARMPATH_FETCH_S3_CONTEXT_H
#define WARMPATH_FETCH_S3_CONTEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fetch/s3.h"

struct s3_context {
    struct s3_endpoint endpoint;
    struct credentials credentials;
    char *name;
    atomic_uint references;
    atomic_llong diagnosed_ms; /* when a refused HEAD was last looked into; 0: never */
    atomic_bool answered;      /* the endpoint has spoken HTTP to us at least once */
};

/* A refused HEAD says no more than 403; a GET would say why. Worth one more request, but not one
 * for each of a thousand files that this job may not read: true once in a while. Thread-safe. */
bool s3_context_may_diagnose(struct s3_context *c, int64_t now_ms);

#endif
