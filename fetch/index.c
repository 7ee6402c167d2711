#include "fetch/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "fetch/index_internal.h"

#define WITHDRAW_WAIT_MS 50

void *index_grow(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    *room = *room ? *room * 2 : 64;
    void *more = reallocarray(array, *room, size);
    if (!more)
        abort();
    return more;
}

/* --- life -------------------------------------------------------------------------- */

struct index *index_new(const struct index_config *config)
{
    struct index *ix = calloc(1, sizeof(*ix));
    uint64_t random = (uint64_t)clock_monotonic_ms();
    pthread_condattr_t monotonic;
    if (!ix)
        abort();
    ix->config = *config;
    ix->redis = redis_new(&config->redis);
    char name[17];
    secret_name(&config->secret, "nodes", "", 0, name, 16);
    snprintf(ix->nodes_key, sizeof(ix->nodes_key), "w{nodes-%s}", name);
    if (getrandom(&random, sizeof(random), 0) < 0)
        log_warn("index", "no random numbers: locks are less reliable");
    snprintf(ix->token, sizeof(ix->token), "%016llx", (unsigned long long)random);
    ix->state_since_s = clock_wall_s();
    atomic_store(&ix->is_usable, true);
    pthread_mutex_init(&ix->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ix->wake, &monotonic);
    pthread_cond_init(&ix->flushed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return ix;
}

void index_start(struct index *ix)
{
    if (pthread_create(&ix->thread, NULL, index_run, ix) != 0)
        abort();
}

void index_free(struct index *ix)
{
    pthread_mutex_lock(&ix->lock);
    ix->stopping = true;
    pthread_cond_signal(&ix->wake);
    pthread_mutex_unlock(&ix->lock);
    pthread_join(ix->thread, NULL);
    redis_free(ix->redis);
    segment_free_all(&ix->segments);
    members_free(&ix->members);
    struct index_lock *l, *next;
    HASH_ITER(hh, ix->locks, l, next)
    {
        HASH_DEL(ix->locks, l);
        free(l);
    }
    free(ix->news);
    free(ix->ends);
    free(ix->opened);
    free(ix->found);
    pthread_mutex_destroy(&ix->lock);
    pthread_cond_destroy(&ix->wake);
    pthread_cond_destroy(&ix->flushed);
    free(ix);
}

bool index_usable(struct index *ix)
{
    return atomic_load(&ix->is_usable);
}

/* --- own blocks -------------------------------------------------------------------- */

/* With the lock. */
static void add_news(struct index *ix, const struct index_block *b, bool held)
{
    ix->news = index_grow(ix->news, ix->n_news, &ix->room_news, sizeof(*ix->news));
    ix->news[ix->n_news++] = (struct index_news){.block = *b, .held = held};
    ix->news_in++;
}

void index_let_go(struct index *ix, const struct index_block *b)
{
    struct segment_id id;
    memset(&id, 0, sizeof(id));
    memcpy(id.version, b->version, sizeof(id.version));
    id.number = b->block;
    pthread_mutex_lock(&ix->lock);
    ix->ends = index_grow(ix->ends, ix->n_ends, &ix->room_ends, sizeof(*ix->ends));
    ix->ends[ix->n_ends++] = id;
    pthread_cond_signal(&ix->wake);
    pthread_mutex_unlock(&ix->lock);
}

void index_publish(struct index *ix, const struct index_block *b)
{
    pthread_mutex_lock(&ix->lock);
    add_news(ix, b, true);
    pthread_cond_signal(&ix->wake);
    pthread_mutex_unlock(&ix->lock);
}

/* One of each segment will do. */
bool index_announce(struct index *ix, const struct index_block *b)
{
    pthread_mutex_lock(&ix->lock);
    const struct index_block *last = ix->n_found ? &ix->found[ix->n_found - 1] : NULL;
    bool is_new = !last || segment_number(last->block) != segment_number(b->block) ||
                  memcmp(last->version, b->version, sizeof(b->version)) != 0;
    bool has_room = !is_new || ix->n_found < FOUND_MAX;
    if (is_new && has_room) {
        ix->found = index_grow(ix->found, ix->n_found, &ix->room_found, sizeof(*ix->found));
        ix->found[ix->n_found++] = *b;
        pthread_cond_signal(&ix->wake);
    }
    ix->is_more_found |= !has_room;
    pthread_mutex_unlock(&ix->lock);
    return has_room;
}

static struct timespec monotonic_in(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    return (struct timespec){.tv_sec = t.tv_sec + ms / 1000 + ns / 1000000000,
                             .tv_nsec = ns % 1000000000};
}

void index_withdraw(struct index *ix, const struct index_block *blocks, size_t n, bool wait)
{
    struct timespec until = monotonic_in(WITHDRAW_WAIT_MS);
    pthread_mutex_lock(&ix->lock);
    for (size_t i = 0; i < n; i++)
        add_news(ix, &blocks[i], false);
    uint64_t wanted = ix->news_in;
    ix->is_urgent |= wait;
    pthread_cond_signal(&ix->wake);
    while (wait && index_usable(ix) && ix->news_out < wanted && !ix->stopping)
        if (pthread_cond_timedwait(&ix->flushed, &ix->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&ix->lock);
}

/* --- reading ----------------------------------------------------------------------- */

void index_opened(struct index *ix, const uint8_t version[INDEX_VERSION_BYTES], uint64_t blocks)
{
    struct index_block b = {.blocks = blocks};
    if (blocks == 0)
        return;
    memcpy(b.version, version, sizeof(b.version));
    pthread_mutex_lock(&ix->lock);
    ix->opened = index_grow(ix->opened, ix->n_opened, &ix->room_opened, sizeof(*ix->opened));
    ix->opened[ix->n_opened++] = b;
    pthread_cond_signal(&ix->wake);
    pthread_mutex_unlock(&ix->lock);
}

void index_want(struct index *ix, struct index_want *w)
{
    w->is_locked = w->want.crosses;
    pthread_mutex_lock(&ix->lock);
    if (!w->is_guess)
        want_begin(&w->want, clock_monotonic_ms());
    w->is_guess = false;
    w->is_waiting = true;
    DL_APPEND(ix->wants, w);
    pthread_cond_signal(&ix->wake);
    pthread_mutex_unlock(&ix->lock);
}

void index_hurry(struct index *ix, struct index_want *w)
{
    pthread_mutex_lock(&ix->lock);
    want_hurry(&w->want, clock_monotonic_ms());
    if (w->is_waiting)
        pthread_cond_signal(&ix->wake);
    pthread_mutex_unlock(&ix->lock);
}

void index_fetched(struct index *ix, struct index_want *w, bool ok, int64_t took_ms)
{
    pthread_mutex_lock(&ix->lock);
    if (ok)
        ix->fetch_ms = want_fetch_ms(ix->fetch_ms, took_ms);
    pthread_mutex_unlock(&ix->lock);
    if (w->is_locked && !ok) /* a good block lets go when it is published, or kept */
        index_let_go(ix, &w->what);
    w->is_locked = false;
}

/* --- how it goes -------------------------------------------------------------------- */

void index_set_state(struct index *ix, enum index_state state, const char *why)
{
    pthread_mutex_lock(&ix->lock);
    bool changed = state != ix->state;
    ix->state = state;
    if (changed)
        ix->state_since_s = clock_wall_s();
    if (why != ix->why)
        snprintf(ix->why, sizeof(ix->why), "%s", why);
    pthread_mutex_unlock(&ix->lock);
    atomic_store(&ix->is_usable, state == INDEX_FINE);
    if (!changed)
        return;
    if (state == INDEX_FINE)
        log_info("index", "Redis answers");
    else
        log_warn("index", "%s; blocks come from S3 and from peers that are known", why);
}

void index_status(struct index *ix, struct index_status *out)
{
    int64_t now = clock_monotonic_ms();
    memset(out, 0, sizeof(*out));
    out->commands = atomic_load(&ix->commands);
    out->round_trips = atomic_load(&ix->round_trips);
    out->offered = atomic_load(&ix->is_offered);
    pthread_mutex_lock(&ix->lock);
    out->state = ix->state;
    out->since_s = ix->state_since_s;
    memcpy(out->why, ix->why, sizeof(out->why));
    for (size_t i = 0; i < ix->members.n; i++) {
        const struct member *m = &ix->members.all[i];
        if (!m->is_alive || m->node == ix->config.node)
            continue;
        bool far = m->distance == PLACEMENT_OTHER_REGION && !ix->config.other_regions;
        out->nodes++;
        out->peers += member_usable(m, now) && !far;
        if (m->breaker.state == BREAKER_CLOSED && now >= m->avoid_until_ms)
            continue;
        out->troubled++;
        if (out->n_troubles == INDEX_TROUBLES_MAX)
            continue;
        struct index_trouble *t = &out->troubles[out->n_troubles++];
        snprintf(t->what, sizeof(t->what), "%s: %s", m->url, m->why);
        t->since_s = m->trouble_since_s;
    }
    pthread_mutex_unlock(&ix->lock);
}

const char *index_state_name(enum index_state state)
{
    static const char *const names[] = {
        [INDEX_CONNECTING] = "connecting",
        [INDEX_FINE] = "fine",
        [INDEX_AWAY] = "away",
        [INDEX_FULL] = "full",
        [INDEX_REFUSED] = "refused",
    };
    return names[state];
}
