/* A block file from another node's store: GET of the whole file, data and trailer, over the HTTP
 * engine. Whether what came is the block that was asked for is the caller's to find out, before
 * anybody sees it. Callbacks run on the engine's thread. */
#ifndef WARMPATH_FETCH_PEER_H
#define WARMPATH_FETCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/secret.h"
#include "fetch/http.h"
#include "fetch/index.h"

/* How this node shows other nodes who it is. Made once. */
struct peer_access {
    bool signs;                      /* else the next is not used */
    char link_key[SECRET_LINK_SIZE]; /* signs each path, for a few minutes */
    const char *ca, *cert, *key;     /* https: authority, own certificate; NULL: none */
};

struct peer_request {
    /* in; borrowed until done */
    const struct peer_access *access;
    struct index_peer peer;
    const char *path;   /* "/blocks/ab/…" */
    uint64_t max_bytes; /* no block file is longer */
    /* A piece of the file. Return false to give up. */
    bool (*write)(struct peer_request *r, const void *data, size_t len);
    void (*done)(struct peer_request *r);
    void *user;

    /* out */
    enum peer_outcome outcome; /* PEER_GOOD: the whole file came */
    uint64_t bytes;
    char why[300];

    struct http_request http; /* peer.c's own, as are the next */
    struct http_engine *engine;
    int64_t asked_ms, heard_ms; /* when it began, and its last byte came */
    char url[MEMBER_URL_MAX + 256];
};

/* 0, or -errno: then done is not called. */
int peer_submit(struct http_engine *engine, struct peer_request *r);

#endif
