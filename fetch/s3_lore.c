#include "fetch/s3_lore.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/log.h"
#include "fetch/s3_pace.h"
#include "policy/hedge.h"

#define DIAGNOSE_EVERY_MS 10000
#define PLACES_MAX        256

/* Never changed and freed only with the lore: s3_lore_endpoint() lends its strings. A newer one
 * stands before an older one of the same bucket. */
struct place {
    struct place *next;
    char bucket[S3_BUCKET_MAX + 1];
    char region[64];
    char scheme[8];
    char authority[256]; /* "": the endpoint's own */
    bool virtual_host;   /* with an authority: the bucket stood before it */
};

/* One request that was given up without a sign of life is enough: it has tried for long. */
static const struct breaker_rules breaker_rules = {
    .failures = 1, .open_ms = 1000, .open_max_ms = 10000};

struct s3_lore {
    struct s3_lore *prev, *next;
    int references; /* guarded by the list's lock */
    char *endpoint;

    pthread_mutex_t lock; /* guards the rest */
    bool answered;
    int64_t heard_ms;
    int64_t diagnosed_ms;
    int64_t clock_offset_s;
    struct breaker breaker;
    char silent_why[160];
    struct place *places;
    size_t n_places;
    struct s3_paces paces;
    struct hedge hedge;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct s3_lore *list;

struct s3_lore *s3_lore_get(const char *endpoint)
{
    struct s3_lore *l;
    pthread_mutex_lock(&list_lock);
    DL_FOREACH(list, l)
    {
        if (strcmp(l->endpoint, endpoint) == 0)
            break;
    }
    if (!l && (l = calloc(1, sizeof(*l)))) {
        l->endpoint = strdup(endpoint);
        pthread_mutex_init(&l->lock, NULL);
        DL_APPEND(list, l);
    }
    if (l)
        l->references++;
    pthread_mutex_unlock(&list_lock);
    return l;
}

void s3_lore_unref(struct s3_lore *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&list_lock);
    bool last = --l->references == 0;
    if (last)
        DL_DELETE(list, l);
    pthread_mutex_unlock(&list_lock);
    if (!last)
        return;
    while (l->places) {
        struct place *p = l->places;
        LL_DELETE(l->places, p);
        free(p);
    }
    pthread_mutex_destroy(&l->lock);
    free(l->endpoint);
    free(l);
}

/* ---- alive? ---- */

bool s3_lore_answered(struct s3_lore *l)
{
    pthread_mutex_lock(&l->lock);
    bool answered = l->answered;
    pthread_mutex_unlock(&l->lock);
    return answered;
}

bool s3_lore_answered_since(struct s3_lore *l, int64_t since_ms)
{
    pthread_mutex_lock(&l->lock);
    bool answered = l->answered && l->heard_ms >= since_ms;
    pthread_mutex_unlock(&l->lock);
    return answered;
}

void s3_lore_heard(struct s3_lore *l, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    bool back = l->breaker.state != BREAKER_CLOSED;
    l->breaker = (struct breaker){0}; /* whatever it said, it is there */
    l->answered = true;
    l->heard_ms = now_ms;
    pthread_mutex_unlock(&l->lock);
    if (back)
        log_info("s3", "%s answers again", l->endpoint);
}

enum s3_lore_answer s3_lore_may_ask(struct s3_lore *l, int64_t now_ms, char *why, size_t why_size)
{
    pthread_mutex_lock(&l->lock);
    enum s3_lore_answer answer = l->breaker.state == BREAKER_CLOSED ? S3_LORE_ASK : S3_LORE_PROBE;
    if (!breaker_allows(&l->breaker, &breaker_rules, now_ms)) {
        answer = S3_LORE_REFUSE;
        snprintf(why, why_size,
                 "%.120s gave no sign of life and is left alone for a moment (%s); check "
                 "AWS_ENDPOINT_URL_S3 and the network",
                 l->endpoint, l->silent_why);
    }
    pthread_mutex_unlock(&l->lock);
    return answer;
}

void s3_lore_silent(struct s3_lore *l, int64_t now_ms, const char *why)
{
    pthread_mutex_lock(&l->lock);
    breaker_failed(&l->breaker, &breaker_rules, now_ms, UINT32_MAX);
    snprintf(l->silent_why, sizeof(l->silent_why), "%s", why);
    pthread_mutex_unlock(&l->lock);
}

size_t s3_silences(int64_t now_ms, struct s3_silence *out, size_t most)
{
    size_t n = 0;
    struct s3_lore *l;
    pthread_mutex_lock(&list_lock);
    DL_FOREACH(list, l)
    {
        pthread_mutex_lock(&l->lock);
        if (n < most && l->breaker.state != BREAKER_CLOSED) {
            struct s3_silence *s = &out[n++];
            s->for_ms = now_ms - l->breaker.since_ms;
            snprintf(s->endpoint, sizeof(s->endpoint), "%s", l->endpoint);
            snprintf(s->why, sizeof(s->why), "%s", l->silent_why);
        }
        pthread_mutex_unlock(&l->lock);
    }
    pthread_mutex_unlock(&list_lock);
    return n;
}

void s3_lore_forget_probe(struct s3_lore *l, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    breaker_forget(&l->breaker, now_ms);
    pthread_mutex_unlock(&l->lock);
}

bool s3_lore_may_diagnose(struct s3_lore *l, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    bool may = !l->diagnosed_ms || now_ms - l->diagnosed_ms >= DIAGNOSE_EVERY_MS;
    if (may)
        l->diagnosed_ms = now_ms;
    pthread_mutex_unlock(&l->lock);
    return may;
}

/* ---- clock ---- */

int64_t s3_lore_clock_offset_s(struct s3_lore *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t offset_s = l->clock_offset_s;
    pthread_mutex_unlock(&l->lock);
    return offset_s;
}

void s3_lore_set_clock_offset(struct s3_lore *l, int64_t offset_s)
{
    pthread_mutex_lock(&l->lock);
    l->clock_offset_s = offset_s;
    pthread_mutex_unlock(&l->lock);
    log_warn("s3", "this machine's clock is %lld s off that of %s: requests are dated by that",
             (long long)offset_s, l->endpoint);
}

/* ---- where a bucket is ---- */

static struct place *find_place(struct s3_lore *l, const char *bucket)
{
    struct place *p;
    LL_FOREACH(l->places, p)
    if (strcmp(p->bucket, bucket) == 0)
        return p;
    return NULL;
}

struct s3_endpoint s3_lore_endpoint(struct s3_lore *l, const struct s3_endpoint *endpoint,
                                    const char *bucket)
{
    static char no_path[] = "";
    struct s3_endpoint e = *endpoint;
    pthread_mutex_lock(&l->lock);
    struct place *p = find_place(l, bucket);
    pthread_mutex_unlock(&l->lock);
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
static bool set_authority(struct place *p, const struct s3_endpoint *endpoint, const char *url)
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

/* One that was learned before and then replaced: its strings are lent for good, so it is used
 * again. A bucket that goes back and forth costs two places. */
static struct place *find_same(struct s3_lore *l, const struct place *wanted)
{
    struct place *p;
    LL_FOREACH(l->places, p)
    if (strcmp(p->bucket, wanted->bucket) == 0 && strcmp(p->region, wanted->region) == 0 &&
        strcmp(p->scheme, wanted->scheme) == 0 && strcmp(p->authority, wanted->authority) == 0)
        return p;
    return NULL;
}

bool s3_lore_moved(struct s3_lore *l, const struct s3_endpoint *endpoint, const char *bucket,
                   const char *region, const char *location)
{
    struct s3_endpoint now = s3_lore_endpoint(l, endpoint, bucket);
    struct place *p = calloc(1, sizeof(*p));
    bool news = false;
    if (p && valid_region(region) && strlen(bucket) < sizeof(p->bucket)) {
        strcpy(p->bucket, bucket);
        strcpy(p->region, *region ? region : now.region);
        strcpy(p->scheme, now.scheme);
        if (is_aws(endpoint->authority) && *region)
            snprintf(p->authority, sizeof(p->authority), "s3.%s.amazonaws.com%s", region,
                     starts_with(region, "cn-") ? ".cn" : "");
        else if (!*location || !set_authority(p, endpoint, location))
            p->authority[0] = '\0';
        news = strcmp(p->region, now.region) != 0 ||
               (*p->authority && strcmp(p->authority, now.authority) != 0);
    }
    pthread_mutex_lock(&l->lock);
    struct place *same = news ? find_same(l, p) : NULL;
    news = news && (same || l->n_places < PLACES_MAX);
    if (same) {
        LL_DELETE(l->places, same);
        LL_PREPEND(l->places, same);
    } else if (news) {
        LL_PREPEND(l->places, p);
        l->n_places++;
    }
    pthread_mutex_unlock(&l->lock);
    if (news)
        log_info("s3", "bucket %s is in region %s%s%s", bucket, p->region,
                 *p->authority ? ", at " : "", p->authority);
    if (!news || same)
        free(p);
    return news;
}

/* ---- how fast ---- */

int64_t s3_lore_delay_ms(struct s3_lore *l, const char *bucket, const char *key, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    int64_t delay_ms = s3_pace_take(&l->paces, bucket, key, now_ms);
    pthread_mutex_unlock(&l->lock);
    return delay_ms;
}

void s3_lore_rate(struct s3_lore *l, const char *bucket, const char *key, bool throttled,
                  int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    s3_pace_answer(&l->paces, bucket, key, throttled, now_ms);
    if (throttled)
        hedge_throttled(&l->hedge, now_ms);
    pthread_mutex_unlock(&l->lock);
}

/* ---- how soon ---- */

int64_t s3_lore_hedge_after_ms(struct s3_lore *l, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    int64_t after_ms = hedge_after_ms(&l->hedge, now_ms);
    pthread_mutex_unlock(&l->lock);
    return after_ms;
}

bool s3_lore_hedge_take(struct s3_lore *l, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    bool taken = hedge_take(&l->hedge, now_ms);
    pthread_mutex_unlock(&l->lock);
    return taken;
}

void s3_lore_hedge_heard(struct s3_lore *l, int64_t first_byte_ms)
{
    pthread_mutex_lock(&l->lock);
    hedge_heard(&l->hedge, first_byte_ms * 1000);
    pthread_mutex_unlock(&l->lock);
}
