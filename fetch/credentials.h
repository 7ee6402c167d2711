/* Where a job's credentials and S3 endpoint come from, as the AWS SDKs read them.
 *
 * The agent serves many jobs, so nothing here reads the agent's own environment:
 * the caller passes the job's variables. Files are read when resolving, on the
 * calling thread. Source: AWS SDKs and Tools Reference Guide, "Standardized
 * credential providers" and "Service-specific endpoints". */
#ifndef WARMPATH_FETCH_CREDENTIALS_H
#define WARMPATH_FETCH_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A job's environment: NULL-terminated array of "NAME=value" (AWS_*, HOME, and PWD, in which
 * relative paths stand). Borrowed. */
struct aws_env {
    const char *const *vars;
};

/* A variable of our own beside the job's: the profile that a mapping asked for by name. It is used
 * in place of AWS_PROFILE, and what it sets comes before what the environment sets. */
#define AWS_PROFILE_FIRST "WARMPATH_PROFILE"

/* Value of a variable, or NULL when unset or empty. Borrowed. */
const char *aws_env_get(const struct aws_env *env, const char *name);

struct credentials {
    char *access_key;    /* owned; NULL when anonymous */
    char *secret_key;    /* owned; wiped by credentials_clear() */
    char *session_token; /* owned; NULL when there is none */
    bool anonymous;      /* sign nothing (AWS_NO_SIGN_REQUEST=true) */
    int64_t expires_s;   /* wall clock; 0: does not expire */
    bool from_file;      /* a static key of a file, which may change */
    char source[64];     /* for logs: "the environment", "profile x of the config file" */
};

/* For a caller who may wait for networks and programs. */
struct credentials_patience {
    int64_t until_ms;        /* monotonic: the whole search ends about then */
    const atomic_bool *stop; /* or soon after this is set; NULL: never */
};

/* Finds credentials, in the order of botocore and most SDKs:
 *
 *   AWS_NO_SIGN_REQUEST   the environment's keys   the profile's role_arn (AssumeRole)
 *   web identity   the credentials file's keys   credential_process   the config file's keys
 *   the container's endpoint   the instance's metadata (IMDSv2)
 *
 * 0; -EACCES with a sentence in `why` that says where was looked and what to set; or, without
 * `patience`, -EINPROGRESS when the next place in order cannot be asked at once. With it, blocks:
 * not for the agent's loop. */
int credentials_resolve(const struct aws_env *env, const struct credentials_patience *patience,
                        struct credentials *out, char *why, size_t why_size);
/* A copy of its own; false when memory is short. */
bool credentials_copy(struct credentials *to, const struct credentials *from);
void credentials_clear(struct credentials *c);

enum s3_style { S3_STYLE_AUTO, S3_STYLE_PATH, S3_STYLE_VIRTUAL };

struct s3_endpoint {
    char *scheme;    /* "http" or "https"; owned, as are the next four */
    char *authority; /* host, or host:port where not the scheme's default */
    char *base_path; /* path of the endpoint URL without trailing slash, usually "" */
    char *region;    /* never NULL; "us-east-1" where nothing is set */
    char *ca_bundle; /* AWS_CA_BUNDLE or the profile's ca_bundle; NULL: system's */
    enum s3_style style;
};

/* AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, profile's endpoint_url (services section too),
 * else https://s3.REGION.amazonaws.com; AWS_REGION, AWS_DEFAULT_REGION, profile's region.
 * S3_STYLE_AUTO is settled here: the profile's s3.addressing_style, else virtual-hosted for AWS'
 * own hosts and path-style otherwise. 0, or -EINVAL with a sentence in `why` (malformed endpoint
 * URL). */
int s3_endpoint_resolve(const struct aws_env *env, enum s3_style style, struct s3_endpoint *out,
                        char *why, size_t why_size);
void s3_endpoint_clear(struct s3_endpoint *e);

#endif
