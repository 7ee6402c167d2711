/* The S3 endpoint of a job; the other half of credentials.h. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "fetch/aws_profile.h"
#include "fetch/credentials.h"
#include "fetch/credentials_internal.h"

#define REGION_MAX 64

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text), end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

/* A region becomes part of a host name and of the signature's scope. */
static bool region_fits(const char *region)
{
    size_t len = strlen(region);
    for (size_t i = 0; i < len; i++) {
        char c = region[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len < REGION_MAX;
}

static const char *first_set(const char *a, const char *b, const char *c)
{
    return a ? a : b ? b : c;
}

static const char *url_of_environment(const struct aws_env *env, int service, const char **where)
{
    static const char *const variables[][2] = {{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"},
                                               {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"}};
    for (size_t i = 0; i < 2; i++) {
        *where = variables[service][i];
        if (aws_env_get(env, *where))
            return aws_env_get(env, *where);
    }
    return NULL;
}

static const char *url_of_profile(const struct aws_profile *p, int service, const char **where)
{
    static const char *const settings[][3] = {
        {"services.s3.endpoint_url", "s3.endpoint_url", "endpoint_url"},
        {"services.sts.endpoint_url", "sts.endpoint_url", "endpoint_url"}};
    *where = "the profile's endpoint_url";
    for (size_t i = 0; i < 3; i++)
        if (aws_profile_get(p, settings[service][i]))
            return aws_profile_get(p, settings[service][i]);
    return NULL;
}

const char *aws_endpoint_url(const struct aws_env *env, const struct aws_profile *p,
                             const char *service, const char **where)
{
    int row = strcmp(service, "sts") == 0;
    const char *ignore = aws_env_get(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    const char *url = NULL;
    if (ignore && strcasecmp(ignore, "true") == 0)
        return NULL;
    if (aws_env_get(env, AWS_PROFILE_FIRST))
        url = url_of_profile(p, row, where);
    if (!url)
        url = url_of_environment(env, row, where);
    return url ? url : url_of_profile(p, row, where);
}

const char *aws_region(const struct aws_env *env, const struct aws_profile *p)
{
    const char *own = aws_profile_get(p, "region");
    if (own && aws_env_get(env, AWS_PROFILE_FIRST))
        return own;
    return first_set(aws_env_get(env, "AWS_REGION"), aws_env_get(env, "AWS_DEFAULT_REGION"), own);
}

static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
}

static char *part(CURLU *url, CURLUPart which)
{
    char *borrowed = NULL;
    if (curl_url_get(url, which, &borrowed, 0) != CURLUE_OK)
        return NULL;
    char *text = strdup(borrowed);
    curl_free(borrowed);
    return text;
}

static bool has_part(CURLU *url, CURLUPart which)
{
    CLEANUP_FREE char *found = part(url, which);
    return found != NULL;
}

static bool is_default_port(const char *scheme, const char *port)
{
    return strcmp(port, strcmp(scheme, "https") == 0 ? "443" : "80") == 0;
}

/* True when the URL is an http or https one without anything but host, port and path. */
static bool split_url(CURLU *url, const char *text, struct s3_endpoint *out)
{
    static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                         CURLUPART_FRAGMENT};
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
        return false;
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
        if (has_part(url, unwanted[i]))
            return false;
    }
    CLEANUP_FREE char *host = part(url, CURLUPART_HOST);
    CLEANUP_FREE char *port = part(url, CURLUPART_PORT);
    out->scheme = part(url, CURLUPART_SCHEME);
    out->base_path = part(url, CURLUPART_PATH);
    if (!host || !*host || !out->scheme || !out->base_path ||
        (strcmp(out->scheme, "http") != 0 && strcmp(out->scheme, "https") != 0))
        return false;
    lower(host);
    while (ends_with(out->base_path, "/"))
        out->base_path[strlen(out->base_path) - 1] = '\0';
    bool show_port = port && !is_default_port(out->scheme, port);
    if (asprintf(&out->authority, "%s%s%s", host, show_port ? ":" : "", show_port ? port : "") < 0)
        out->authority = NULL;
    return out->authority != NULL;
}

int aws_endpoint_parse(const char *text, const char *where, struct s3_endpoint *out, char *why,
                       size_t why_size)
{
    CURLU *url = curl_url();
    bool ok = url && split_url(url, text, out);
    curl_url_cleanup(url);
    if (ok)
        return 0;
    snprintf(why, why_size,
             "%s is \"%.120s\", which is no endpoint: it must be http(s)://HOST[:PORT]", where,
             text);
    return -EINVAL;
}

static int default_url(struct s3_endpoint *out)
{
    const char *suffix = strncmp(out->region, "cn-", 3) == 0 ? ".cn" : "";
    out->scheme = strdup("https");
    out->base_path = strdup("");
    if (asprintf(&out->authority, "s3.%s.amazonaws.com%s", out->region, suffix) < 0)
        out->authority = NULL;
    if (!out->scheme || !out->base_path || !out->authority)
        return -ENOMEM;
    lower(out->authority);
    return 0;
}

static enum s3_style settle_style(enum s3_style style, const struct aws_profile *p,
                                  const char *authority)
{
    const char *wish = aws_profile_get(p, "s3.addressing_style");
    if (style == S3_STYLE_AUTO && wish)
        style = strcmp(wish, "virtual") == 0 ? S3_STYLE_VIRTUAL
                : strcmp(wish, "path") == 0  ? S3_STYLE_PATH
                                             : S3_STYLE_AUTO;
    if (style != S3_STYLE_AUTO)
        return style;
    return ends_with(authority, ".amazonaws.com") || ends_with(authority, ".amazonaws.com.cn")
               ? S3_STYLE_VIRTUAL
               : S3_STYLE_PATH;
}

static int set_ca_bundle(const struct aws_env *env, const struct aws_profile *p,
                         struct s3_endpoint *out, char *why, size_t why_size)
{
    char path[4096];
    const char *ca =
        first_set(aws_env_get(env, "AWS_CA_BUNDLE"), aws_profile_get(p, "ca_bundle"), NULL);
    if (!ca)
        return 0;
    if (!aws_expand_path(env, ca, path, sizeof(path))) {
        snprintf(why, why_size, "the path in AWS_CA_BUNDLE is too long");
        return -EINVAL;
    }
    out->ca_bundle = strdup(path);
    return out->ca_bundle ? 0 : -ENOMEM;
}

static int resolve(const struct aws_env *env, const struct aws_profile *p, enum s3_style style,
                   struct s3_endpoint *out, char *why, size_t why_size)
{
    const char *where = "";
    const char *region = aws_region(env, p);
    if (!region)
        region = "us-east-1";
    if (!region_fits(region)) {
        snprintf(why, why_size, "\"%.80s\" is no region: check AWS_REGION", region);
        return -EINVAL;
    }
    out->region = strdup(region);
    if (!out->region)
        return -ENOMEM;

    const char *url = aws_endpoint_url(env, p, "s3", &where);
    int error = url ? aws_endpoint_parse(url, where, out, why, why_size) : default_url(out);
    if (error)
        return error;
    out->style = settle_style(style, p, out->authority);
    return set_ca_bundle(env, p, out, why, why_size);
}

int s3_endpoint_resolve(const struct aws_env *env, enum s3_style style, struct s3_endpoint *out,
                        char *why, size_t why_size)
{
    struct aws_profile profile;
    char ignored[256];

    memset(out, 0, sizeof(*out));
    snprintf(why, why_size, "out of memory");
    /* A profile that cannot be read is credentials_resolve()'s to report, and only where it
     * matters. */
    if (aws_profile_load(env, NULL, &profile, ignored, sizeof(ignored)) != 0)
        memset(&profile, 0, sizeof(profile));
    int error = resolve(env, &profile, style, out, why, why_size);
    aws_profile_clear(&profile);
    if (error)
        s3_endpoint_clear(out);
    else
        why[0] = '\0';
    return error;
}

void s3_endpoint_clear(struct s3_endpoint *e)
{
    free(e->scheme);
    free(e->authority);
    free(e->base_path);
    free(e->region);
    free(e->ca_bundle);
    memset(e, 0, sizeof(*e));
}
