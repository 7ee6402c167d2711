#include "fetch/s3_lore.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/log.h"
#include "fetch/s3_pace.h"
#include "fetch/s3_places.h"
#include "policy/hedge.h"

#define DIAGNOSE_EVERY_MS 10000

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
    struct s3_places places;
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
    s3_places_free(&l->places);
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

struct s3_endpoint s3_lore_endpoint(struct s3_lore *l, const struct s3_endpoint *endpoint,
                                    const char *bucket)
{
    pthread_mutex_lock(&l->lock);
    struct s3_endpoint e = s3_places_endpoint(&l->places, endpoint, bucket);
    pthread_mutex_unlock(&l->lock);
    return e;
}

bool s3_lore_moved(struct s3_lore *l, const struct s3_endpoint *endpoint, const char *bucket,
                   const char *region, const char *location)
{
    pthread_mutex_lock(&l->lock);
    const struct s3_place *p = s3_places_moved(&l->places, endpoint, bucket, region, location);
    pthread_mutex_unlock(&l->lock);
    if (p)
        log_info("s3", "bucket %s is in region %s%s%s", bucket, p->region,
                 *p->authority ? ", at " : "", p->authority);
    return p != NULL;
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
