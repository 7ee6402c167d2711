#include "fetch/s3_places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define PLACES_MAX 256

void s3_places_free(struct s3_places *places)
{
    while (places->newest) {
        struct s3_place *p = places->newest;
        LL_DELETE(places->newest, p);
        free(p);
    }
}

static struct s3_place *find_place(const struct s3_places *places, const char *bucket)
{
    struct s3_place *p;
    LL_FOREACH(places->newest, p)
    if (strcmp(p->bucket, bucket) == 0)
        return p;
    return NULL;
}

struct s3_endpoint s3_places_endpoint(const struct s3_places *places,
                                      const struct s3_endpoint *endpoint, const char *bucket)
{
    static char no_path[] = "";
    struct s3_endpoint e = *endpoint;
    struct s3_place *p = find_place(places, bucket);
    if (p && *p->region)
        e.region = p->region;
    if (p && *p->authority) {
        e.scheme = p->scheme;
        e.authority = p->authority;
        e.base_path = no_path;
        if (p->virtual_host)
            e.style = S3_STYLE_VIRTUAL;
    }
    return e;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_aws(const char *authority)
{
    size_t len = strlen(authority);
    static const char *const ends[] = {".amazonaws.com", ".amazonaws.com.cn"};
    for (size_t i = 0; i < 2; i++)
        if (len > strlen(ends[i]) && strcmp(authority + len - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

/* "https://bucket.host:port/…" into its parts. From https never back to http. */
static bool set_authority(struct s3_place *p, const struct s3_endpoint *endpoint, const char *url)
{
    const char *host = strstr(url, "://");
    size_t scheme_len = host ? (size_t)(host - url) : 0;
    if (!host || scheme_len >= sizeof(p->scheme))
        return false;
    memcpy(p->scheme, url, scheme_len);
    p->scheme[scheme_len] = '\0';
    if (strcmp(p->scheme, "https") != 0 &&
        (strcmp(p->scheme, "http") != 0 || strcmp(endpoint->scheme, "https") == 0))
        return false;
    host += 3;
    size_t len = strcspn(host, "/?#");
    size_t bucket_len = strlen(p->bucket);
    if (starts_with(host, p->bucket) && host[bucket_len] == '.') {
        host += bucket_len + 1;
        len -= bucket_len + 1;
        p->virtual_host = true;
    }
    if (len == 0 || len >= sizeof(p->authority))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)host[i] <= ' ' || strchr("@%\\", host[i]))
            return false;
    memcpy(p->authority, host, len);
    p->authority[len] = '\0';
    return true;
}

static bool valid_region(const char *region)
{
    return strlen(region) < 64 &&
           strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
               strlen(region);
}

/* Says in `p` what S3 told, as far as that can be used. True where it isn't what `now` says. */
static bool set_place(struct s3_place *p, const struct s3_endpoint *endpoint,
                      const struct s3_endpoint *now, const char *region, const char *location)
{
    strcpy(p->region, *region ? region : now->region);
    strcpy(p->scheme, now->scheme);
    if (is_aws(endpoint->authority) && *region)
        snprintf(p->authority, sizeof(p->authority), "s3.%s.amazonaws.com%s", region,
                 starts_with(region, "cn-") ? ".cn" : "");
    else if (!*location || !set_authority(p, endpoint, location))
        p->authority[0] = '\0';
    return strcmp(p->region, now->region) != 0 ||
           (*p->authority && strcmp(p->authority, now->authority) != 0);
}

/* One that was learned before and then replaced: its strings are lent for good, so it is used
 * again. A bucket that goes back and forth costs two places. */
static struct s3_place *find_same(const struct s3_places *places, const struct s3_place *wanted)
{
    struct s3_place *p;
    LL_FOREACH(places->newest, p)
    if (strcmp(p->bucket, wanted->bucket) == 0 && strcmp(p->region, wanted->region) == 0 &&
        strcmp(p->scheme, wanted->scheme) == 0 && strcmp(p->authority, wanted->authority) == 0)
        return p;
    return NULL;
}

/* The one to keep: `p`, one like it, or none where there is no room. */
static struct s3_place *put(struct s3_places *places, struct s3_place *p)
{
    struct s3_place *same = find_same(places, p);
    if (!same && places->n >= PLACES_MAX)
        return NULL;
    if (same) {
        LL_DELETE(places->newest, same);
        p = same;
    } else {
        places->n++;
    }
    LL_PREPEND(places->newest, p);
    return p;
}

const struct s3_place *s3_places_moved(struct s3_places *places, const struct s3_endpoint *endpoint,
                                       const char *bucket, const char *region, const char *location)
{
    struct s3_endpoint now = s3_places_endpoint(places, endpoint, bucket);
    struct s3_place *p = calloc(1, sizeof(*p)), *kept = NULL;
    if (p && valid_region(region) && strlen(bucket) < sizeof(p->bucket)) {
        strcpy(p->bucket, bucket);
        if (set_place(p, endpoint, &now, region, location))
            kept = put(places, p);
    }
    if (kept != p)
        free(p);
    return kept;
}
