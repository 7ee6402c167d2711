/* How fast to ask for keys where S3 said "slow down". Bounded; the caller holds a lock.
 *
 * S3 counts for ranges of keys: one may be a directory, or have thousands of them, of which none is
 * refused twice. So each directory has a pace of its own, and where refusals come to directories
 * that have none yet, the whole bucket gets one. */
#ifndef WARMPATH_FETCH_S3_PACE_H
#define WARMPATH_FETCH_S3_PACE_H

#include "policy/rate.h"

#define S3_PACES        64 /* of directories; those used last */
#define S3_BUCKET_PACES 8

struct s3_pace {
    uint64_t name; /* 0: free */
    int64_t used_ms;
    struct rate rate;
};

struct s3_paces {
    struct s3_pace directories[S3_PACES];
    struct s3_pace buckets[S3_BUCKET_PACES];
};

/* How many milliseconds to wait before this key (NULL: none) is asked for. */
int64_t s3_pace_take(struct s3_paces *p, const char *bucket, const char *key, int64_t now_ms);
/* S3 answered, with (`throttled`) or without a call to slow down. */
void s3_pace_answer(struct s3_paces *p, const char *bucket, const char *key, bool throttled,
                    int64_t now_ms);

#endif
