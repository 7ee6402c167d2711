#include "fetch/s3_pace.h"

#include <string.h>

#include "common/hash.h"

/* Made in place of the one not used for longest. */
static struct rate *find(struct s3_pace *paces, size_t n, uint64_t name, int64_t now_ms)
{
    struct s3_pace *oldest = &paces[0];
    for (size_t i = 0; i < n; i++) {
        if (paces[i].name == name) {
            paces[i].used_ms = now_ms;
            return &paces[i].rate;
        }
        if (paces[i].used_ms < oldest->used_ms)
            oldest = &paces[i];
    }
    *oldest = (struct s3_pace){.name = name, .used_ms = now_ms};
    return &oldest->rate;
}

static struct rate *of_bucket(struct s3_paces *p, const char *bucket, int64_t now_ms)
{
    return find(p->buckets, S3_BUCKET_PACES, hash_bytes(bucket, strlen(bucket), 0) | 1, now_ms);
}

static struct rate *of_directory(struct s3_paces *p, const char *bucket, const char *key,
                                 int64_t now_ms)
{
    const char *slash = key ? strrchr(key, '/') : NULL;
    uint64_t name = hash_bytes(bucket, strlen(bucket), 0);
    if (slash)
        name = hash_bytes(key, (size_t)(slash - key), name);
    return find(p->directories, S3_PACES, name | 1, now_ms);
}

int64_t s3_pace_take(struct s3_paces *p, const char *bucket, const char *key, int64_t now_ms)
{
    int64_t directory_ms = rate_take(of_directory(p, bucket, key, now_ms), now_ms);
    int64_t bucket_ms = rate_take(of_bucket(p, bucket, now_ms), now_ms);
    return directory_ms > bucket_ms ? directory_ms : bucket_ms;
}

void s3_pace_answer(struct s3_paces *p, const char *bucket, const char *key, bool throttled,
                    int64_t now_ms)
{
    struct rate *directory = of_directory(p, bucket, key, now_ms);
    rate_answer(directory, throttled, now_ms);
    bool is_its_own = directory->per_s > 0;
    rate_answer(of_bucket(p, bucket, now_ms), throttled && !is_its_own, now_ms);
}
