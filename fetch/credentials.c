#include "fetch/credentials.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "fetch/aws_profile.h"
#include "fetch/credentials_internal.h"

const char *aws_env_get(const struct aws_env *env, const char *name)
{
    size_t len = strlen(name);
    for (const char *const *var = env->vars; var && *var; var++)
        if (strncmp(*var, name, len) == 0 && (*var)[len] == '=')
            return (*var)[len + 1] ? *var + len + 1 : NULL;
    return NULL;
}

/* A place where credentials may be; see credentials_internal.h. */
struct provider {
    const char *name;
    int (*try)(const struct search *s, struct credentials *out);
};

int search_fail(const struct search *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->why, s->why_size, format, args);
    va_end(args);
    return -EACCES;
}

int64_t search_timeout_ms(const struct search *s, int64_t at_most_ms)
{
    int64_t left_ms = s->patience->until_ms - clock_monotonic_ms();
    return left_ms < 1 ? 1 : left_ms < at_most_ms ? left_ms : at_most_ms;
}

static bool must_end(const struct search *s)
{
    return clock_monotonic_ms() >= s->patience->until_ms ||
           (s->patience->stop && atomic_load(s->patience->stop));
}

bool search_pause(const struct search *s, int64_t ms)
{
    int64_t until_ms = clock_monotonic_ms() + ms;
    while (!must_end(s)) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return true;
        poll(NULL, 0, left_ms < 50 ? (int)left_ms : 50);
    }
    return false;
}

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

int search_take_keys(const struct search *s, struct credentials *out, const char *place,
                     const char *const names[3], const char *const values[3])
{
    if (!values[0] && !values[1])
        return 0;
    if (!values[0] || !values[1])
        return search_fail(s, "%s is set in %s but %s is not: set both", names[!values[0]], place,
                           names[!!values[0]]);
    char **to[3] = {&out->access_key, &out->secret_key, &out->session_token};
    for (int i = 0; i < 3; i++) {
        if (values[i] && !take_value(to[i], values[i])) {
            credentials_clear(out);
            return search_fail(s, "%s in %s holds a blank or a character that no key has", names[i],
                               place);
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
    return search_take_keys(s, out, "the environment", names, values);
}

int search_profile_keys(const struct search *s, struct credentials *out, bool credentials_file)
{
    static const char *const names[3] = {"aws_access_key_id", "aws_secret_access_key",
                                         "aws_session_token"};
    const char *values[3];
    char place[sizeof(out->source)];

    for (int i = 0; i < 3; i++)
        values[i] = aws_profile_get_from(s->profile, names[i], credentials_file);
    snprintf(place, sizeof(place), "profile %.24s of %s", s->profile->name,
             credentials_file ? "the credentials file" : "the config file");
    int found = search_take_keys(s, out, place, names, values);
    out->from_file = found == 1;
    return found;
}

static int try_credentials_file(const struct search *s, struct credentials *out)
{
    return search_profile_keys(s, out, true);
}

static int try_config_file(const struct search *s, struct credentials *out)
{
    return search_profile_keys(s, out, false);
}

static const struct provider providers[] = {
    {.name = "AWS_NO_SIGN_REQUEST", .try = try_anonymous},
    {.name = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", .try = try_environment},
    {.name = "the profile's role_arn", .try = search_assume_role},
    {.name = "web identity", .try = search_web_identity},
    {.name = "SSO", .try = search_sso},
    {.name = "the credentials file", .try = try_credentials_file},
    {.name = "credential_process", .try = search_process},
    {.name = "the config file", .try = try_config_file},
    {.name = "the container's endpoint", .try = search_container},
    {.name = "the instance's metadata", .try = search_instance},
};

static int none_found(const struct search *s)
{
    char instance[256];
    snprintf(instance, sizeof(instance), "%s", s->why); /* what the last place had to say */
    return search_fail(
        s,
        "no AWS credentials: AWS_ACCESS_KEY_ID is not set, and profile %.60s has no keys in "
        "%.120s or %.120s%s%.200s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or "
        "AWS_NO_SIGN_REQUEST=true for a public bucket)",
        s->profile->name, s->profile->credentials_path, s->profile->config_path,
        *instance ? "; " : "", instance);
}

int credentials_resolve(const struct aws_env *env, const struct credentials_patience *patience,
                        struct credentials *out, char *why, size_t why_size)
{
    struct aws_profile profile = {0};
    char profile_why[384] = "";
    struct search search = {
        .env = env, .profile = &profile, .patience = patience, .why = why, .why_size = why_size};
    int found = 0;

    memset(out, 0, sizeof(*out));
    why[0] = '\0';
    /* A broken file matters only if nothing before it answers. */
    int broken = aws_profile_load(env, NULL, &profile, profile_why, sizeof(profile_why));
    for (size_t i = 0; found == 0 && i < sizeof(providers) / sizeof(providers[0]); i++) {
        found = providers[i].try(&search, out);
        if (found == 0 && broken && providers[i].try == search_web_identity)
            found = search_fail(&search, "%s", profile_why);
    }
    if (found == 0)
        found = none_found(&search);
    aws_profile_clear(&profile);
    return found == 1 ? 0 : found;
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

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

bool credentials_copy(struct credentials *to, const struct credentials *from)
{
    *to = *from;
    to->access_key = to->secret_key = to->session_token = NULL;
    if (copy_text(&to->access_key, from->access_key) &&
        copy_text(&to->secret_key, from->secret_key) &&
        copy_text(&to->session_token, from->session_token))
        return true;
    credentials_clear(to);
    return false;
}
