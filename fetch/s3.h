/* S3 as the agent needs it: HEAD, ranged GET, ListObjectsV2 (asynchronous, signed, retried).
 *
 * A context is an endpoint with credentials: reference-counted, shared by all requests of the jobs
 * that brought the same ones. Its credentials renew themselves (keyring.h). Completions run on
 * whatever thread found the answer. */
#ifndef WARMPATH_FETCH_S3_H
#define WARMPATH_FETCH_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/credentials.h"
#include "fetch/http.h"

#define S3_KEY_MAX    1024 /* bytes of UTF-8; S3's own limit */
#define S3_BUCKET_MAX 255
#define S3_ETAG_MAX   130 /* with quotes, as sent */

#define S3_VERSION_MAX 64 /* longer VersionIds are not used */

struct s3_context;
struct keyring;

/* How a mapping's objects are asked for, beyond endpoint and credentials. Holds a secret. */
struct s3_access {
    bool requester_pays;
    bool has_sse_c_key;
    unsigned char sse_c_key[32];
};

/* Reads a mapping's options ("requester_pays&sse_c_key_file=/path"; others are left alone). 0, or
 * -EACCES with a sentence when the key's file cannot be read or holds no key (32 bytes, or their
 * base64). */
int s3_access_parse(const char *options, struct s3_access *out, char *why, size_t why_size);

/* Takes over the endpoint (its members; empties the struct), and a reference to the keyring. NULL
 * when memory is short. */
struct s3_context *s3_context_make(struct s3_endpoint *endpoint, struct keyring *keyring,
                                   const struct s3_access *access);
/* The same with credentials that never change. */
struct s3_context *s3_context_new(struct s3_endpoint *endpoint, struct credentials *credentials);
struct s3_context *s3_context_ref(struct s3_context *c);
void s3_context_unref(struct s3_context *c);
/* "https://s3.eu-west-1.amazonaws.com": names the endpoint in logs and in version ids. Borrowed. */
const char *s3_context_endpoint(const struct s3_context *c);

/* An endpoint that gave no sign of life and is left alone for a moment. */
struct s3_silence {
    char endpoint[160];
    char why[160];
    int64_t for_ms; /* since so long */
};
/* Those of all contexts that are silent now; how many were written. Any thread. */
size_t s3_silences(int64_t now_ms, struct s3_silence *out, size_t most);

struct s3_meta {
    uint64_t size_bytes;             /* of the whole object, also after a ranged GET */
    int64_t mtime_s;                 /* Last-Modified */
    char etag[S3_ETAG_MAX];          /* with its quotes */
    char version_id[S3_VERSION_MAX]; /* "": the bucket keeps no versions, or a listing told */
};

/* How a request ended, over all its attempts. */
struct s3_result {
    int error;       /* 0, or -errno: -ENOENT (no key, no bucket), -EACCES (403, 401, expired
                        token), -ESTALE (412: If-Match failed), -EIO (the rest), -ETIMEDOUT
                        (the last attempt met silence), -ECANCELED, -ENOMEM, or what write gave */
    int http_status; /* of the last attempt; 304 and 416 come with error 0 and their status */
    uint32_t attempts;
    uint32_t hedges,
        hedges_won;      /* attempts that were sent twice; of these, where that was faster */
    uint64_t body_bytes; /* received, over all attempts */
    char why[384]; /* a sentence for the job's log: bucket, S3's code and message, what to do */
};

struct s3_entry {
    const char *name; /* the full key (object) or prefix with trailing slash (is_prefix) */
    bool is_prefix;
    struct s3_meta meta; /* objects only */
};

enum s3_op { S3_HEAD, S3_GET, S3_LIST };

struct s3_request {
    /* in; strings are borrowed until done */
    enum s3_op op;
    struct s3_context *context; /* borrowed: the caller holds a reference until done */
    const char *bucket;
    const char *key;        /* HEAD, GET: raw bytes, not encoded */
    uint64_t offset;        /* GET: range [offset, offset + length), length > 0 */
    uint64_t length;        /*   the object may end sooner */
    bool expects_whole;     /* GET from 0: the object was seen to end within `length`. It is asked
                               for without a range, which saves servers work (Ceph a quarter
                               and more); where it is longer now, asked for again with one */
    const char *if_match;   /* NULL, or the ETag that the object must still have */
    const char *version_id; /* NULL or "", or the version to read with if_match when the object
                               was replaced or deleted meanwhile; copied by s3_submit() */
    const char *if_none_match; /* NULL, or an ETag: 304 when unchanged (then no body) */
    const char *prefix;        /* LIST: keys begin with it */
    const char *token;         /* LIST: continuation, NULL for the first page */
    const char *start_after;   /* LIST: NULL, or a key: the first page begins behind it */
    uint32_t max_keys;         /* LIST: 1 to 1000 */
    bool urgent;               /* GET, HEAD: somebody waits: where the answer is late, ask twice */
    /* Not urgent: does somebody wait by now? Asked while the answer is late, on the engine's
     * thread. May be NULL: nobody will. */
    bool (*awaited)(struct s3_request *r);
    int64_t deadline_ms; /* budget for all attempts, relative to submit; 0: 60 s */

    /* GET: the first attempt was handed to the network: time to make room for what comes. Called at
     * most once, before `write`. May be NULL. */
    void (*sent)(struct s3_request *r);
    /* GET: a piece of the body; offset is absolute in the object, and pieces come in order
     * without gaps or repeats, also over retries (a short body is resumed where it stopped,
     * under If-Match of the version that the first attempt saw). Called only once the response was
     * found right: 206 with the wanted Content-Range and a matching ETag (200 only for a whole
     * object from 0 whose Content-Length agrees). `meta` is set. Return 0, or -errno to give up
     * (result.error gets it). */
    int (*write)(struct s3_request *r, uint64_t offset, const void *data, size_t len);
    /* LIST: one entry; borrowed for the call. Delimiter is "/"; order as S3 sends it. Called only
     * once the whole page is there and right: no entry comes twice or belongs to half a page. */
    void (*entry)(struct s3_request *r, const struct s3_entry *entry);
    void (*done)(struct s3_request *r);
    void *user;

    /* out */
    struct s3_result result;
    struct s3_meta meta; /* HEAD, GET: valid when error is 0 and status 200 or 206 */
    char *next_token;    /* LIST: the caller's to free from done on; NULL on the last page */

    struct s3_attempt *attempt; /* s3.c's own */
};

/* Starts a request: signs, sends, retries with backoff (policy/retry) on network faults, 5xx, 429
 * and SlowDown until the deadline; what was never reachable is given up within seconds. Mends once
 * what S3 names: expired keys are renewed, a bucket in another region is asked there, a clock that
 * is off is corrected. A HEAD that is refused (403, 400) may be followed by one GET, for the
 * sentence in its error document. `r` must stay until done, which may free it. `done` may come
 * before s3_submit() returns (no credentials, an endpoint that is known to be silent): call it
 * without a lock. 0, -EINVAL, -ENAMETOOLONG (key), -ENOMEM, -ECANCELED (engine is being freed):
 * then done is not called. Thread-safe. */
int s3_submit(struct http_engine *engine, struct s3_request *r);

#endif
