#include "fetch/credentials.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch/aws_profile.h"

const char *aws_env_get(const struct aws_env *env, const char *name)
{
    size_t len = strlen(name);
    for (const char *const *var = env->vars; var && *var; var++)
        if (strncmp(*var, name, len) == 0 && (*var)[len] == '=')
            return (*var)[len + 1] ? *var + len + 1 : NULL;
    return NULL;
}

/* What a provider looks at, and where it says what is wrong. */
struct search {
    const struct aws_env *env;
    const struct aws_profile *profile;
    char *why;
    size_t why_size;
};

/* A place where credentials may be. `try` gives 1: found; 0: not here; -EACCES with `why`:
 * something is here, but it cannot be right, and going on to the next place would only hide that.
 */
struct provider {
    const char *name;
    int (*try)(const struct search *s, struct credentials *out);
};

/* Copies a value without the white space around it that copying from a web page brings along. False
 * for values that no header can carry. */
static bool take_value(char **out, const char *value)
{
    value += strspn(value, " \t\r\n");
    size_t len = strlen(value);
    while (len && strchr(" \t\r\n", value[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] >= 127)
            return false;
    if (len == 0)
        return false;
    *out = strndup(value, len);
    return *out != NULL;
}

/* Both keys or neither; `place` and the names are for the sentence. */
static int take_keys(const struct search *s, struct credentials *out, const char *place,
                     const char *const names[3], const char *const values[3])
{
    if (!values[0] && !values[1])
        return 0;
    if (!values[0] || !values[1]) {
        snprintf(s->why, s->why_size, "%s is set in %s but %s is not: set both", names[!values[0]],
                 place, names[!!values[0]]);
        return -EACCES;
    }
    char **to[3] = {&out->access_key, &out->secret_key, &out->session_token};
    for (int i = 0; i < 3; i++) {
        if (values[i] && !take_value(to[i], values[i])) {
            snprintf(s->why, s->why_size, "%s in %s holds a blank or a character that no key has",
                     names[i], place);
            credentials_clear(out);
            return -EACCES;
        }
    }
    snprintf(out->source, sizeof(out->source), "%s", place);
    return 1;
}

static int try_anonymous(const struct search *s, struct credentials *out)
{
    const char *value = aws_env_get(s->env, "AWS_NO_SIGN_REQUEST");
    if (!value || (strcasecmp(value, "true") != 0 && strcasecmp(value, "yes") != 0 &&
                   strcmp(value, "1") != 0))
        return 0;
    out->anonymous = true;
    snprintf(out->source, sizeof(out->source), "AWS_NO_SIGN_REQUEST");
    return 1;
}

static int try_environment(const struct search *s, struct credentials *out)
{
    static const char *const names[3] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                         "AWS_SESSION_TOKEN"};
    const char *values[3];
    for (int i = 0; i < 3; i++)
        values[i] = aws_env_get(s->env, names[i]);
    return take_keys(s, out, "the environment", names, values);
}

static int try_profile(const struct search *s, struct credentials *out, bool credentials_file)
{
    static const char *const names[3] = {"aws_access_key_id", "aws_secret_access_key",
                                         "aws_session_token"};
    const char *values[3];
    char place[sizeof(out->source)];

    for (int i = 0; i < 3; i++)
        values[i] = aws_profile_get_from(s->profile, names[i], credentials_file);
    snprintf(place, sizeof(place), "profile %.24s of %s", s->profile->name,
             credentials_file ? "the credentials file" : "the config file");
    return take_keys(s, out, place, names, values);
}

static int try_credentials_file(const struct search *s, struct credentials *out)
{
    return try_profile(s, out, true);
}

static int try_config_file(const struct search *s, struct credentials *out)
{
    return try_profile(s, out, false);
}

/* What the profile asks for and we cannot do yet must not end as "none found". */
static int try_unsupported(const struct search *s, struct credentials *out)
{
    static const char *const settings[] = {"role_arn", "credential_process", "sso_session",
                                           "sso_start_url", "web_identity_token_file"};
    (void)out;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!aws_profile_get(s->profile, settings[i]))
            continue;
        snprintf(s->why, s->why_size,
                 "profile %.60s uses %s, which is not supported: export the keys instead "
                 "(aws configure export-credentials --format env)",
                 s->profile->name, settings[i]);
        return -EACCES;
    }
    return 0;
}

/* In the SDKs' order. */
static const struct provider providers[] = {
    {.name = "AWS_NO_SIGN_REQUEST", .try = try_anonymous},
    {.name = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", .try = try_environment},
    {.name = "the credentials file", .try = try_credentials_file},
    {.name = "the config file", .try = try_config_file},
    {.name = "the profile's other ways", .try = try_unsupported},
};

int credentials_resolve(const struct aws_env *env, struct credentials *out, char *why,
                        size_t why_size)
{
    struct aws_profile profile = {0};
    char profile_why[256] = "";
    struct search search = {.env = env, .profile = &profile, .why = why, .why_size = why_size};
    int found = 0;

    memset(out, 0, sizeof(*out));
    /* A broken file matters only if nothing before it answers. */
    int broken = aws_profile_load(env, &profile, profile_why, sizeof(profile_why));
    for (size_t i = 0; found == 0 && i < sizeof(providers) / sizeof(providers[0]); i++)
        found = providers[i].try(&search, out);

    if (found == 0 && broken)
        snprintf(why, why_size, "%s", profile_why);
    else if (found == 0)
        snprintf(
            why, why_size,
            "no AWS credentials: AWS_ACCESS_KEY_ID is not set, and profile %.60s has no keys in "
            "%.150s or %.150s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or "
            "AWS_NO_SIGN_REQUEST=true for a public bucket)",
            profile.name, profile.credentials_path, profile.config_path);
    aws_profile_clear(&profile);
    return found == 1 ? 0 : -EACCES;
}

static void wipe(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void credentials_clear(struct credentials *c)
{
    wipe(c->access_key);
    wipe(c->secret_key);
    wipe(c->session_token);
    memset(c, 0, sizeof(*c));
}
