/* What a profile may ask for besides keys: roles, web identity, SSO.
 * Source: AWS SDKs and Tools Reference Guide, "Assume role credential provider" and "Standardized
 * credential providers". */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "fetch/credentials_internal.h"

#define DEPTH_MAX 8 /* profiles that name each other */

static int search_source(const struct search *s, const char *name, struct credentials *out);

/* ---- web identity ---- */

static int assume_with_token(const struct search *s, const char *path, const char *setting,
                             const struct sts_role *wanted, struct credentials *out)
{
    struct sts_role role = *wanted;
    CLEANUP_FREE char *token = search_read_file(s, path, setting);
    if (!token)
        return -EACCES;
    role.web_identity_token = token;
    int found = sts_assume(s, &role, out);
    OPENSSL_cleanse(token, strlen(token));
    return found;
}

int search_web_identity(const struct search *s, struct credentials *out)
{
    const char *setting = "AWS_WEB_IDENTITY_TOKEN_FILE";
    const char *path = aws_env_get(s->env, setting);
    struct sts_role role = {.arn = aws_env_get(s->env, "AWS_ROLE_ARN"),
                            .session_name = aws_env_get(s->env, "AWS_ROLE_SESSION_NAME")};
    if (s->depth > 0 || !path) { /* a source_profile does not mean the environment */
        setting = "the profile's web_identity_token_file";
        path = aws_profile_get(s->profile, "web_identity_token_file");
        role.arn = aws_profile_get(s->profile, "role_arn");
        role.session_name = aws_profile_get(s->profile, "role_session_name");
        role.duration_s = aws_profile_get(s->profile, "duration_seconds");
    }
    if (!path)
        return 0;
    if (!role.arn)
        return search_fail(s, "%s is set but no role is named: set AWS_ROLE_ARN", setting);
    return s->patience ? assume_with_token(s, path, setting, &role, out) : -EINPROGRESS;
}

/* ---- roles ---- */

static int search_named_source(const struct search *s, const char *kind, struct credentials *out)
{
    int found;
    if (strcmp(kind, "Environment") == 0) {
        static const char *const names[3] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                             "AWS_SESSION_TOKEN"};
        const char *values[3];
        for (int i = 0; i < 3; i++)
            values[i] = aws_env_get(s->env, names[i]);
        found = search_take_keys(s, out, "the environment", names, values);
    } else if (strcmp(kind, "Ec2InstanceMetadata") == 0) {
        found = search_instance(s, out);
    } else if (strcmp(kind, "EcsContainer") == 0) {
        found = search_container(s, out);
    } else {
        return search_fail(s,
                           "profile %.60s has credential_source = %.40s; known are Environment, "
                           "Ec2InstanceMetadata and EcsContainer",
                           s->profile->name, kind);
    }
    if (found == 0)
        found = search_fail(s, "profile %.60s takes credentials from %.40s, which has none",
                            s->profile->name, kind);
    return found;
}

/* What the role is assumed with. */
static int find_source(const struct search *s, struct credentials *out)
{
    const char *name = aws_profile_get(s->profile, "source_profile");
    const char *kind = aws_profile_get(s->profile, "credential_source");
    if (name && kind)
        return search_fail(s,
                           "profile %.60s has both source_profile and credential_source: one "
                           "must go",
                           s->profile->name);
    if (!name && !kind)
        return search_fail(s,
                           "profile %.60s has role_arn but neither source_profile nor "
                           "credential_source",
                           s->profile->name);
    return kind ? search_named_source(s, kind, out) : search_source(s, name, out);
}

int search_assume_role(const struct search *s, struct credentials *out)
{
    struct sts_role role = {.arn = aws_profile_get(s->profile, "role_arn"),
                            .session_name = aws_profile_get(s->profile, "role_session_name"),
                            .external_id = aws_profile_get(s->profile, "external_id"),
                            .duration_s = aws_profile_get(s->profile, "duration_seconds")};
    struct credentials source = {0};
    if (!role.arn || aws_profile_get(s->profile, "web_identity_token_file"))
        return 0;
    if (aws_profile_get(s->profile, "mfa_serial"))
        return search_fail(s,
                           "profile %.60s wants an MFA code (mfa_serial), which nobody can be "
                           "asked for here: export the keys instead (aws configure "
                           "export-credentials --format env)",
                           s->profile->name);
    if (!s->patience)
        return -EINPROGRESS;
    int found = find_source(s, &source);
    if (found == 1) {
        role.source = &source;
        found = sts_assume(s, &role, out);
    }
    credentials_clear(&source);
    return found;
}

/* The profile that `name` means, as a source: its own keys before a role of its own when it is the
 * very profile that names it. */
static int search_profile(const struct search *s, bool itself, struct credentials *out)
{
    int found = 0;
    if (!itself)
        found = search_assume_role(s, out);
    if (found == 0 && !itself)
        found = search_web_identity(s, out);
    if (found == 0)
        found = search_sso(s, out);
    if (found == 0)
        found = search_profile_keys(s, out, true);
    if (found == 0)
        found = search_process(s, out);
    if (found == 0)
        found = search_profile_keys(s, out, false);
    if (found == 0)
        found = search_fail(s, "profile %.60s is a source_profile but holds no credentials",
                            s->profile->name);
    return found;
}

static int search_source(const struct search *s, const char *name, struct credentials *out)
{
    struct aws_profile profile;
    struct search inner = *s;
    if (strcmp(name, s->profile->name) == 0)
        return search_profile(s, true, out);
    if (s->depth >= DEPTH_MAX)
        return search_fail(s, "profile %.60s: its source_profiles name each other in a circle",
                           s->profile->name);
    if (aws_profile_load(s->env, name, &profile, s->why, s->why_size) != 0)
        return -EACCES;
    inner.profile = &profile;
    inner.depth++;
    int found = search_profile(&inner, false, out);
    aws_profile_clear(&profile);
    return found;
}

/* ---- SSO ---- */

int search_sso(const struct search *s, struct credentials *out)
{
    static const char *const settings[] = {"sso_session", "sso_start_url", "sso_account_id"};
    (void)out;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (aws_profile_get(s->profile, settings[i]))
            return search_fail(s,
                               "profile %.60s uses IAM Identity Center (%s), which is not "
                               "supported: export the keys instead (aws configure "
                               "export-credentials --format env), or use it by "
                               "credential_process = aws configure export-credentials",
                               s->profile->name, settings[i]);
    return 0;
}
