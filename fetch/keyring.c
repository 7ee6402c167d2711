#include "fetch/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "policy/freshness.h"

#define REFUSED_AGAIN_MS 1000

struct keyring {
    atomic_uint references;
    char *text;        /* what `vars` points into; wiped */
    const char **vars; /* NULL: the keys never change */
    size_t text_len;
    int64_t patience_ms;

    pthread_mutex_t lock; /* guards the rest */
    struct keys *keys;
    bool renewing;
    bool refused;
    int64_t obtained_ms; /* monotonic, as the next one */
    int64_t failed_ms;
    char why[384]; /* of the failure */
    struct keyring_waiter *waiters;
};

/* Renewals that run, so that the program's end can wait for them. */
static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t running_less = PTHREAD_COND_INITIALIZER;
static int running;
static atomic_bool stopping;

/* ---- life ---- */

void keys_unref(struct keys *k)
{
    if (!k || atomic_fetch_sub(&k->references, 1) != 1)
        return;
    credentials_clear(&k->credentials);
    free(k);
}

static struct keys *keys_of(struct credentials *credentials)
{
    struct keys *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->credentials = *credentials;
    memset(credentials, 0, sizeof(*credentials));
    atomic_init(&k->references, 1);
    return k;
}

static struct keyring *make(void)
{
    struct keyring *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    atomic_init(&k->references, 1);
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

struct keyring *keyring_of(struct credentials *credentials)
{
    struct keyring *k = make();
    if (k)
        k->keys = keys_of(credentials);
    if (k && !k->keys) {
        keyring_unref(k);
        return NULL;
    }
    return k;
}

static bool copy_vars(struct keyring *k, const char *const *vars)
{
    size_t n = 0, at = 0;
    for (; vars[n]; n++)
        k->text_len += strlen(vars[n]) + 1;
    k->text = malloc(k->text_len + 1);
    k->vars = calloc(n + 1, sizeof(*k->vars));
    for (size_t i = 0; i < n && k->text && k->vars; i++) {
        size_t len = strlen(vars[i]) + 1;
        k->vars[i] = memcpy(k->text + at, vars[i], len);
        at += len;
    }
    return k->text && k->vars;
}

struct keyring *keyring_new(const char *const *vars, int64_t patience_ms)
{
    struct keyring *k = make();
    if (!k)
        return NULL;
    k->patience_ms = patience_ms;
    if (copy_vars(k, vars))
        return k;
    keyring_unref(k);
    return NULL;
}

struct keyring *keyring_ref(struct keyring *k)
{
    atomic_fetch_add(&k->references, 1);
    return k;
}

void keyring_unref(struct keyring *k)
{
    if (!k || atomic_fetch_sub(&k->references, 1) != 1)
        return;
    keys_unref(k->keys);
    if (k->text)
        explicit_bzero(k->text, k->text_len);
    free(k->text);
    free(k->vars);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* ---- renewing ---- */

static void accept_keys(struct keyring *k, struct keys *fresh)
{
    const struct credentials *c = &fresh->credentials;
    bool changed = !k->keys || !c->access_key || !k->keys->credentials.access_key ||
                   strcmp(c->access_key, k->keys->credentials.access_key) != 0;
    if (changed || c->expires_s)
        log_info("s3", "credentials from %s%s", c->source,
                 c->expires_s ? ", which will expire" : "");
    keys_unref(k->keys);
    k->keys = fresh;
    k->obtained_ms = clock_monotonic_ms();
    k->failed_ms = 0;
    k->refused = false;
}

static void note_failure(struct keyring *k, const char *why)
{
    snprintf(k->why, sizeof(k->why), "%s", why);
    k->failed_ms = clock_monotonic_ms();
    if (k->keys)
        log_warn("s3",
                 "credentials could not be renewed: %s; the old ones are used until they "
                 "expire",
                 why);
}

/* Takes what a search found, and wakes who waits for it. */
static void settle(struct keyring *k, int error, struct credentials *found, const char *why)
{
    struct keys *fresh = error ? NULL : keys_of(found);
    pthread_mutex_lock(&k->lock);
    if (fresh)
        accept_keys(k, fresh);
    else
        note_failure(k, error ? why : "out of memory");
    k->renewing = false;
    struct keyring_waiter *waiters = k->waiters;
    k->waiters = NULL;
    pthread_mutex_unlock(&k->lock);

    struct keyring_waiter *w;
    while ((w = waiters)) {
        DL_DELETE(waiters, w);
        w->ready(w); /* may free it */
    }
}

static void *renew(void *user)
{
    struct keyring *k = user;
    const struct aws_env env = {.vars = k->vars};
    const struct credentials_patience patience = {.until_ms = clock_monotonic_ms() + k->patience_ms,
                                                  .stop = &stopping};
    struct credentials found;
    char why[384];
    int error = credentials_resolve(&env, &patience, &found, why, sizeof(why));
    settle(k, error, &found, why);
    keyring_unref(k);

    pthread_mutex_lock(&running_lock);
    running--;
    pthread_cond_signal(&running_less);
    pthread_mutex_unlock(&running_lock);
    return NULL;
}

static int start_thread(struct keyring *k)
{
    pthread_t thread;
    int error = thread_start_deaf(&thread, "keys", renew, k);
    if (!error)
        pthread_detach(thread);
    return error;
}

/* With the lock held. */
static void begin_renewal(struct keyring *k)
{
    if (k->renewing)
        return;
    pthread_mutex_lock(&running_lock);
    bool refused = atomic_load(&stopping);
    running += !refused;
    pthread_mutex_unlock(&running_lock);
    if (refused)
        return;
    k->renewing = true;
    int error = start_thread(keyring_ref(k));
    if (error == 0)
        return;
    k->renewing = false;
    note_failure(k, "no thread can be had");
    atomic_fetch_sub(&k->references, 1); /* the caller has one, too */
    pthread_mutex_lock(&running_lock);
    running--;
    pthread_mutex_unlock(&running_lock);
}

void keyrings_stop(void)
{
    pthread_mutex_lock(&running_lock);
    atomic_store(&stopping, true);
    while (running)
        pthread_cond_wait(&running_less, &running_lock);
    pthread_mutex_unlock(&running_lock);
}

/* ---- using ---- */

static enum freshness judge(const struct keyring *k)
{
    int64_t now_ms = clock_monotonic_ms();
    struct freshness_state s = {.have = k->keys != NULL,
                                .refused = k->refused,
                                .obtained_ms = k->obtained_ms,
                                .failed_ms = k->failed_ms,
                                .now_ms = now_ms};
    if (!k->vars)
        return FRESHNESS_USE;
    if (k->keys) {
        int64_t expires_s = k->keys->credentials.expires_s;
        s.from_file = k->keys->credentials.from_file;
        /* Wall to monotonic: what is left is what counts, also when somebody sets the clock. */
        s.expires_ms = expires_s ? now_ms + (expires_s - clock_wall_s()) * 1000 : 0;
        if (expires_s && s.expires_ms == 0)
            s.expires_ms = 1;
    }
    return freshness_judge(&s);
}

/* The first time, and after a failure: what is at hand. With the lock held. */
static int look_at_hand(struct keyring *k)
{
    const struct aws_env env = {.vars = k->vars};
    struct credentials found;
    char why[sizeof(k->why)];
    int error = credentials_resolve(&env, NULL, &found, why, sizeof(why));
    if (error == -EINPROGRESS) {
        if (judge(k) != FRESHNESS_FAIL)
            begin_renewal(k);
        return k->renewing ? 0 : -EACCES;
    }
    struct keys *fresh = error ? NULL : keys_of(&found);
    if (fresh)
        accept_keys(k, fresh);
    else
        snprintf(k->why, sizeof(k->why), "%s", why);
    return fresh ? 0 : -EACCES;
}

int keyring_check(struct keyring *k, char *why, size_t why_size)
{
    int error = 0;
    pthread_mutex_lock(&k->lock);
    if (!k->keys && !k->renewing)
        error = look_at_hand(k);
    if (error)
        snprintf(why, why_size, "%s", k->why);
    pthread_mutex_unlock(&k->lock);
    return error;
}

int keyring_get(struct keyring *k, struct keyring_waiter *w, struct keys **keys, char *why,
                size_t why_size)
{
    int error = 0;
    pthread_mutex_lock(&k->lock);
    enum freshness fresh = judge(k);
    if (fresh == FRESHNESS_RENEW || fresh == FRESHNESS_WAIT)
        begin_renewal(k);
    if (fresh == FRESHNESS_USE || fresh == FRESHNESS_RENEW) {
        atomic_fetch_add(&k->keys->references, 1);
        *keys = k->keys;
    } else if (k->renewing) {
        DL_APPEND(k->waiters, w);
        error = -EINPROGRESS;
    } else {
        error = atomic_load(&stopping) ? -ECANCELED : -EACCES;
        snprintf(why, why_size, "%s", error == -ECANCELED ? "the agent is stopping" : k->why);
    }
    pthread_mutex_unlock(&k->lock);
    return error;
}

/* Keys that were refused from the first moment on are not renewed for each request. */
static bool may_renew_refused(const struct keyring *k, const struct keys *keys)
{
    int64_t now_ms = clock_monotonic_ms();
    if (k->failed_ms && now_ms - k->failed_ms < REFUSED_AGAIN_MS)
        return false;
    return atomic_load(&keys->accepted) || now_ms - k->obtained_ms >= REFUSED_AGAIN_MS;
}

bool keyring_refused(struct keyring *k, const struct keys *keys)
{
    bool worth = false;
    pthread_mutex_lock(&k->lock);
    if (k->vars && (k->keys != keys || k->renewing)) {
        worth = true;
    } else if (k->vars && may_renew_refused(k, keys)) {
        k->refused = true;
        worth = true;
    }
    pthread_mutex_unlock(&k->lock);
    return worth;
}

bool keyring_newer(struct keyring *k, const struct keys *keys)
{
    pthread_mutex_lock(&k->lock);
    bool newer = k->keys && k->keys != keys;
    pthread_mutex_unlock(&k->lock);
    return newer;
}
