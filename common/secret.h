/* The secret that the nodes of a cluster share (WARMPATH_CLUSTER_SECRET), and what is derived from
 * it: names in Redis that nobody can guess without it, and signatures on requests between nodes.
 * Each purpose has a key of its own, so that none gives another away. */
#ifndef WARMPATH_SECRET_H
#define WARMPATH_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
    bool is_set;
    uint8_t key[32];
};

/* Reads the option: the secret itself, or @FILE whose first line is it. 0, or -errno with a
 * sentence that never holds it. Without the option: not set, and names are derived from nothing. */
int secret_load(struct secret *out, char *why, size_t why_size);

/* HMAC-SHA256 of `purpose` and `data` as base64url text of `chars` characters (at most 43). */
void secret_name(const struct secret *s, const char *purpose, const void *data, size_t len,
                 char *out, size_t chars);

/* What nginx (secure_link_md5) and we sign paths with: 43 characters and a zero. */
#define SECRET_LINK_SIZE 44
void secret_link_key(const struct secret *s, char out[SECRET_LINK_SIZE]);

/* The arguments that let `path` through until `expires_s`: "t=…&e=…". Empty when MD5 can't be had.
 * nginx: secure_link $arg_t,$arg_e; secure_link_md5 "$secure_link_expires$uri KEY"; */
#define SECRET_LINK_ARGS 64
void secret_link_args(const char *link_key, const char *path, int64_t expires_s,
                      char out[SECRET_LINK_ARGS]);

#endif
