/* The nginx configuration that serves a store to the other nodes. */
#ifndef WARMPATH_TOOL_NGINX_CONF_H
#define WARMPATH_TOOL_NGINX_CONF_H

#include <stdbool.h>
#include <stdio.h>

#include "common/secret.h"

struct nginx_conf {
    char store[4096]; /* the cache directory */
    char run[1100];   /* pid, logs, temporary files; the configuration itself */
    char listen[128]; /* ADDR:PORT */
    bool signs;       /* only signed paths are let through */
    char link_key[SECRET_LINK_SIZE];
    const char *ca, *cert, *key; /* TLS with certificates on both sides; NULL: plain HTTP */
    bool is_root;                /* nginx would become a user that cannot enter the store */
};

/* False when a path has a character that nginx would take for its own. */
bool nginx_conf_write(const struct nginx_conf *n, FILE *to);

#endif
