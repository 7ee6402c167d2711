#include "fetch/s3_context.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct s3_context *s3_context_make(struct s3_endpoint *endpoint, struct keyring *keyring,
                                   const struct s3_access *access)
{
    struct s3_context *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    if (asprintf(&c->name, "%s://%s%s", endpoint->scheme, endpoint->authority,
                 endpoint->base_path) < 0)
        c->name = NULL;
    c->lore = c->name ? s3_lore_get(c->name) : NULL;
    if (!c->lore || !keyring) {
        free(c->name);
        s3_lore_unref(c->lore);
        free(c);
        return NULL;
    }
    c->endpoint = *endpoint;
    c->keyring = keyring_ref(keyring);
    if (access)
        c->access = *access;
    sigv4_memo_init(&c->memo);
    memset(endpoint, 0, sizeof(*endpoint));
    atomic_init(&c->references, 1);
    return c;
}

struct s3_context *s3_context_new(struct s3_endpoint *endpoint, struct credentials *credentials)
{
    struct keyring *keyring = keyring_of(credentials);
    struct s3_context *c = s3_context_make(endpoint, keyring, NULL);
    keyring_unref(keyring);
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
    keyring_unref(c->keyring);
    s3_lore_unref(c->lore);
    sigv4_memo_clear(&c->memo);
    OPENSSL_cleanse(&c->access, sizeof(c->access));
    free(c->name);
    free(c);
}

const char *s3_context_endpoint(const struct s3_context *c)
{
    return c->name;
}
