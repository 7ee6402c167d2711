/* Credential contexts: what a job brought along (AWS_*, HOME), resolved once and shared by all its
 * connections and by every other job that brought the same. Loop thread only. */
#ifndef WARMPATH_AGENT_CONTEXT_H
#define WARMPATH_AGENT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "fetch/s3.h"

struct context;

/* The context of these variables ("NAME=value"; copied). Counts a reference. Never NULL: one whose
 * credentials can't be found says so in context_s3(), or when they are needed. Looking for them may
 * take `patience_ms`. */
struct context *context_get(const char *const *vars, size_t n, int64_t patience_ms);
/* The same for a mapping with these options ("profile=x&requester_pays"): a context of its own, as
 * S3 may answer it otherwise. With a profile, that profile's settings come before the
 * environment's.
 */
struct context *context_with(const struct context *base, const char *access, int64_t patience_ms);
struct context *context_ref(struct context *c);
/* Contexts that nobody uses are kept for a while (the last 64). */
void context_unref(struct context *c);

/* The endpoint and credentials to use for a mapping of this style (enum map_style); borrowed. NULL
 * with an errno (negative) and a sentence when they can't be found. The endpoint is looked for
 * again about once a minute, because the files it came from may have changed; credentials keep
 * themselves fresh (fetch/keyring.h), and where they take time to get, the request to S3 waits for
 * them. */
struct s3_context *context_s3(struct context *c, uint8_t style, int *error, char *why,
                              size_t why_size);

/* A number that no two contexts share, for keys of tables. */
uint64_t context_serial(const struct context *c);

#endif
