/* What the ways to find credentials share; for credentials*.c and sts.c alone.
 *
 * A way gives 1: found; 0: nothing here, go on; -EINPROGRESS: something is here, but looking means
 * waiting, and the caller may not wait; -EACCES with a sentence: something is here and cannot be
 * right, and going on to the next place would only hide that. */
#ifndef WARMPATH_FETCH_CREDENTIALS_INTERNAL_H
#define WARMPATH_FETCH_CREDENTIALS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/ask.h"
#include "fetch/aws_profile.h"
#include "fetch/credentials.h"

struct search {
    const struct aws_env *env;
    const struct aws_profile *profile;
    const struct credentials_patience *patience; /* NULL: may not wait */
    int depth;                                   /* of profiles that name each other */
    char *why;
    size_t why_size;
};

/* Sets the sentence. Always -EACCES, for `return search_fail(…)`. */
__attribute__((format(printf, 2, 3))) int search_fail(const struct search *s, const char *format,
                                                      ...);

/* How long a request to such an endpoint may take now; at least 1. */
int64_t search_timeout_ms(const struct search *s, int64_t at_most_ms);

/* Sleeps unless the search has to end before. False when it has. */
bool search_pause(const struct search *s, int64_t ms);

/* Access key, secret and token (may be NULL): both keys or neither; `place` and the names are for
 * the sentence. */
int search_take_keys(const struct search *s, struct credentials *out, const char *place,
                     const char *const names[3], const char *const values[3]);

/* The static keys of a profile, from one of its files. */
int search_profile_keys(const struct search *s, struct credentials *out, bool credentials_file);

/* The ways beyond static keys. */
int search_assume_role(const struct search *s, struct credentials *out);
int search_web_identity(const struct search *s, struct credentials *out);
int search_sso(const struct search *s, struct credentials *out);
int search_process(const struct search *s, struct credentials *out);
int search_container(const struct search *s, struct credentials *out);
int search_instance(const struct search *s, struct credentials *out);

/* {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"}, as processes,
 * containers and instances give it. 1 or -EACCES; no value stands in the sentence. */
int search_take_json(const struct search *s, struct credentials *out, const char *place,
                     const char *text, size_t len);

/* "2030-01-02T03:04:05Z", with a fraction or an offset instead of the Z; 0 when it is no date. */
int64_t credentials_time(const char *text);

/* Reads a small file whole (a token): its text without white space around it, owned; NULL with a
 * sentence. */
char *search_read_file(const struct search *s, const char *path, const char *setting);

/* STS. Either `source` (AssumeRole) or `web_identity_token` is set. 1 or -EACCES. */
struct sts_role {
    const char *arn;
    const char *session_name; /* NULL: one is made up */
    const char *external_id;  /* NULL: none */
    const char *duration_s;   /* NULL: STS's own */
    const char *web_identity_token;
    const struct credentials *source;
};
int sts_assume(const struct search *s, const struct sts_role *role, struct credentials *out);

/* An answer of STS: fills `out`, or `code` and `message` ("" where it has none). False when it
 * holds no credentials. */
bool sts_parse(const char *text, size_t len, struct credentials *out, char code[64],
               char message[256]);

/* The endpoint's URL of a service ("s3", "sts") and the region, as configured; NULL when they are
 * not. Borrowed; `where` names the setting. In endpoint.c. */
const char *aws_endpoint_url(const struct aws_env *env, const struct aws_profile *p,
                             const char *service, const char **where);
const char *aws_region(const struct aws_env *env, const struct aws_profile *p);
/* Splits an endpoint's URL into scheme, authority and base path. 0 or -EINVAL with a sentence that
 * names `where`; the caller clears `out` in either case. In endpoint.c. */
int aws_endpoint_parse(const char *text, const char *where, struct s3_endpoint *out, char *why,
                       size_t why_size);

/* May a container's authorization token be sent to this URL? */
bool credentials_host_allowed(const char *url);

#endif
