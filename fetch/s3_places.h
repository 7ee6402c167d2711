/* Where buckets are, as S3 told when they were asked for elsewhere. For s3_lore.c, whose lock
 * guards it; strings may be read without. */
#ifndef WARMPATH_FETCH_S3_PLACES_H
#define WARMPATH_FETCH_S3_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "fetch/s3.h"

/* Never changed and freed only with the others: s3_places_endpoint() lends its strings. A newer one
 * stands before an older one of the same bucket. */
struct s3_place {
    struct s3_place *next;
    char bucket[S3_BUCKET_MAX + 1];
    char region[64];
    char scheme[8];
    char authority[256]; /* "": the endpoint's own */
    bool virtual_host;   /* with an authority: the bucket stood before it */
};

/* Zeros: nothing is known. */
struct s3_places {
    struct s3_place *newest;
    size_t n;
};

void s3_places_free(struct s3_places *places);

/* As s3_lore_endpoint() and s3_lore_moved() say; the news, or NULL. */
struct s3_endpoint s3_places_endpoint(const struct s3_places *places,
                                      const struct s3_endpoint *endpoint, const char *bucket);
const struct s3_place *s3_places_moved(struct s3_places *places, const struct s3_endpoint *endpoint,
                                       const char *bucket, const char *region,
                                       const char *location);

#endif
