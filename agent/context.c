#include "agent/context.h"

#include <errno.h>
#include <stdio.h>
#include <uthash.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "fetch/keyring.h"

#define RESOLVE_AGAIN_MS 60000
#define KEPT_CONTEXTS    64
#define STYLES           3

struct resolved {
    struct s3_context *s3;
    int64_t when_ms;
    int error;
    char why[384];
};

struct context {
    UT_hash_handle hh;
    uint64_t serial;
    int refs;
    const char **vars; /* NULL-terminated */
    struct keyring *keyring;
    struct resolved styles[STYLES];
    size_t name_len;
    char name[]; /* the variables, each with its zero: the table's key */
};

static struct context *contexts;

static size_t join(const char *const *vars, size_t n, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t part = strlen(vars[i]) + 1;
        if (out)
            memcpy(out + len, vars[i], part);
        len += part;
    }
    return len;
}

struct context *context_get(const char *const *vars, size_t n, int64_t patience_ms)
{
    static uint64_t serials;
    size_t name_len = join(vars, n, NULL);
    struct context *c = must_calloc(1, sizeof(*c) + name_len + 1);
    c->name_len = join(vars, n, c->name);

    struct context *known;
    HASH_FIND(hh, contexts, c->name, c->name_len, known);
    if (known) {
        free(c);
        known->refs++;
        return known;
    }
    c->serial = ++serials;
    c->refs = 1;
    c->vars = must_calloc(n + 1, sizeof(*c->vars));
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        c->vars[i] = c->name + at;
        at += strlen(vars[i]) + 1;
    }
    c->keyring = must(keyring_new(c->vars, patience_ms));
    HASH_ADD_KEYPTR(hh, contexts, c->name, c->name_len, c);
    return c;
}

/* As the SDKs do for a profile that was asked for by name. */
static bool is_overruled(const char *var)
{
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
        "AWS_PROFILE=",       "AWS_DEFAULT_PROFILE=",   "AWS_WEB_IDENTITY_TOKEN_FILE=",
        "AWS_ROLE_ARN=",      "AWS_NO_SIGN_REQUEST="};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(var, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

struct context *context_with(const struct context *base, const char *access, int64_t patience_ms)
{
    char named[MAP_ACCESS_MAX + 32], options[MAP_ACCESS_MAX + 32];
    size_t n = 0, count = 0;
    while (base->vars[n])
        n++;
    CLEANUP_FREE const char **vars = must_calloc(n + 3, sizeof(*vars));
    const char *profile = strstr(access, "profile=");
    if (profile && profile != access && profile[-1] != '&')
        profile = NULL;
    for (size_t i = 0; i < n; i++)
        if (!profile || !is_overruled(base->vars[i]))
            vars[count++] = base->vars[i];
    if (profile) {
        profile += strlen("profile=");
        snprintf(named, sizeof(named), AWS_PROFILE_FIRST "=%.*s", (int)strcspn(profile, "&"),
                 profile);
        vars[count++] = named;
    }
    snprintf(options, sizeof(options), "WARMPATH_ACCESS=%s", access);
    vars[count++] = options;
    return context_get(vars, count, patience_ms);
}

struct context *context_ref(struct context *c)
{
    c->refs++;
    return c;
}

static void forget(struct context *c)
{
    HASH_DEL(contexts, c);
    for (int i = 0; i < STYLES; i++)
        if (c->styles[i].s3)
            s3_context_unref(c->styles[i].s3);
    keyring_unref(c->keyring);
    free(c->vars);
    explicit_bzero(c->name, c->name_len); /* it holds the secret key */
    free(c);
}

/* Nobody's context stays for the next process that brings the same: what S3 allowed it is
 * remembered by its number. The one that was made first goes first. */
void context_unref(struct context *c)
{
    struct context *next, *idle;
    if (!c || --c->refs > 0 || HASH_COUNT(contexts) <= KEPT_CONTEXTS)
        return;
    HASH_ITER(hh, contexts, idle, next)
    {
        if (idle->refs > 0)
            continue;
        forget(idle);
        return;
    }
}

uint64_t context_serial(const struct context *c)
{
    return c->serial;
}

static void resolve(struct context *c, struct resolved *r, enum s3_style style)
{
    struct aws_env env = {.vars = c->vars};
    struct s3_endpoint endpoint = {0};
    r->when_ms = clock_monotonic_ms();
    r->error = s3_endpoint_resolve(&env, style, &endpoint, r->why, sizeof(r->why));
    if (r->error < 0)
        return;
    log_info("s3", "endpoint %s://%s, region %s", endpoint.scheme, endpoint.authority,
             endpoint.region);
    struct s3_access access;
    const char *options = aws_env_get(&env, "WARMPATH_ACCESS");
    r->error = s3_access_parse(options ? options : "", &access, r->why, sizeof(r->why));
    if (r->error < 0) {
        s3_endpoint_clear(&endpoint);
        return;
    }
    struct s3_context *old = r->s3;
    r->s3 = s3_context_make(&endpoint, c->keyring, &access);
    explicit_bzero(&access, sizeof(access));
    s3_endpoint_clear(&endpoint);
    if (old)
        s3_context_unref(old);
    if (!r->s3) {
        r->error = -ENOMEM;
        snprintf(r->why, sizeof(r->why), "out of memory");
    }
}

struct s3_context *context_s3(struct context *c, uint8_t style, int *error, char *why,
                              size_t why_size)
{
    static const enum s3_style styles[STYLES] = {
        [MAP_STYLE_AUTO] = S3_STYLE_AUTO,
        [MAP_STYLE_PATH] = S3_STYLE_PATH,
        [MAP_STYLE_VIRTUAL] = S3_STYLE_VIRTUAL,
    };
    struct resolved *r = &c->styles[style < STYLES ? style : 0];
    int64_t age_ms = clock_monotonic_ms() - r->when_ms;
    if (r->when_ms == 0 || age_ms > RESOLVE_AGAIN_MS || r->error < 0)
        resolve(c, r, styles[style < STYLES ? style : 0]);
    if (r->error < 0) {
        *error = r->error;
        snprintf(why, why_size, "%s", r->why);
        return NULL;
    }
    *error = keyring_check(c->keyring, why, why_size);
    return *error ? NULL : r->s3;
}
