/* One profile of the AWS SDKs' shared files (~/.aws/config and ~/.aws/credentials), read whole.
 * Used by credentials.c and endpoint.c.
 *
 * An own reader, because no INI library of Debian's reads this dialect whole: libinih as Debian
 * builds it silently cuts a line after 200 bytes, libiniparser after 1024 (a session token is
 * longer) and lower-cases names; neither knows indented settings below "s3 =", which GLib's key
 * files would mix into the profile itself, and GLib refuses a file for one malformed line. Source:
 * AWS SDKs and Tools Reference Guide, "Shared config and credentials files". */
#ifndef WARMPATH_FETCH_AWS_PROFILE_H
#define WARMPATH_FETCH_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "fetch/credentials.h"

struct aws_setting {
    char *name; /* "region"; nested ones with their parent: "s3.addressing_style" */
    char *value;
    bool from_credentials_file; /* which wins over the config file */
};

struct aws_profile {
    char name[128];
    char credentials_path[512]; /* where was looked, for messages */
    char config_path[512];
    struct aws_setting *settings;
    size_t n_settings;
    bool found; /* in either file */
};

/* Reads the profile `name` (NULL: the one that AWS_PROFILE, AWS_DEFAULT_PROFILE or "default"
 * names), and the services section that it refers to (as "services.s3.endpoint_url"). A missing
 * file is an empty one. 0, or -EACCES with a sentence in `why`: a file that cannot be read, or a
 * profile that was named but is in neither. */
int aws_profile_load(const struct aws_env *env, const char *name, struct aws_profile *p, char *why,
                     size_t why_size);
void aws_profile_clear(struct aws_profile *p);

/* NULL when not set or empty. Borrowed. */
const char *aws_profile_get(const struct aws_profile *p, const char *name);
/* The same, from one of the two files alone. */
const char *aws_profile_get_from(const struct aws_profile *p, const char *name,
                                 bool from_credentials_file);

/* An absolute path of `path`: "~/" is HOME, a relative one stands in the job's PWD. False when it
 * does not fit. */
bool aws_expand_path(const struct aws_env *env, const char *path, char *out, size_t size);

#endif
