#include "fetch/s3_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIAGNOSE_EVERY_MS 10000

struct s3_context *s3_context_new(struct s3_endpoint *endpoint, struct credentials *credentials)
{
    struct s3_context *c = calloc(1, sizeof(*c));
    if (!c || asprintf(&c->name, "%s://%s%s", endpoint->scheme, endpoint->authority,
                       endpoint->base_path) < 0) {
        free(c);
        return NULL;
    }
    c->endpoint = *endpoint;
    c->credentials = *credentials;
    memset(endpoint, 0, sizeof(*endpoint));
    memset(credentials, 0, sizeof(*credentials));
    atomic_init(&c->references, 1);
    return c;
}

struct s3_context *s3_context_ref(struct s3_context *c)
{
    atomic_fetch_add(&c->references, 1);
    return c;
}

void s3_context_unref(struct s3_context *c)
{
    if (!c || atomic_fetch_sub(&c->references, 1) != 1)
        return;
    s3_endpoint_clear(&c->endpoint);
    credentials_clear(&c->credentials);
    free(c->name);
    free(c);
}

const char *s3_context_endpoint(const struct s3_context *c)
{
    return c->name;
}

bool s3_context_may_diagnose(struct s3_context *c, int64_t now_ms)
{
    long long last = atomic_load(&c->diagnosed_ms);
    if (last && now_ms - last < DIAGNOSE_EVERY_MS)
        return false;
    return atomic_compare_exchange_strong(&c->diagnosed_ms, &last, now_ms);
}

void s3_context_inherit(struct s3_context *c, const struct s3_context *from)
{
    if (strcmp(s3_context_endpoint(c), s3_context_endpoint(from)) == 0)
        atomic_store(&c->answered, atomic_load(&from->answered));
}
