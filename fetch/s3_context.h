/* The inside of struct s3_context, for s3*.c alone; the outside is in s3.h. */
#ifndef WARMPATH_FETCH_S3_CONTEXT_H
#define WARMPATH_FETCH_S3_CONTEXT_H

#include <stdatomic.h>

#include "fetch/keyring.h"
#include "fetch/s3.h"
#include "fetch/s3_lore.h"
#include "fetch/sigv4.h"

struct s3_context {
    struct s3_endpoint endpoint;
    struct s3_access access;
    struct keyring *keyring;
    struct s3_lore *lore;
    struct sigv4_memo memo;
    char *name;
    atomic_uint references;
};

#endif
