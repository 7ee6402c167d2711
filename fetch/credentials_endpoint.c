/* Credentials that the surroundings hand out: a container's endpoint (ECS, EKS Pod Identity), an
 * instance's metadata service (IMDSv2).
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider" and "IMDS credential
 * provider"; Amazon EC2 User Guide, "Use IMDSv2". */
#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/loopback.h"
#include "fetch/credentials_internal.h"

#define ECS_HOST             "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 5000
#define CONTAINER_TRIES      3
#define INSTANCE_HOST        "http://169.254.169.254"
#define INSTANCE_HOST_IPV6   "http://[fd00:ec2::254]"
#define INSTANCE_TOKEN_TTL   "21600"
#define INSTANCE_ROLES       "/latest/meta-data/iam/security-credentials/"

static bool is_true(const struct search *s, const char *variable)
{
    const char *value = aws_env_get(s->env, variable);
    return value && strcasecmp(value, "true") == 0;
}

/* ---- containers ---- */

/* The token goes to this host in clear: https, this machine, or the addresses of ECS and EKS. */
bool credentials_host_allowed(const char *url)
{
    static const char *const known[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    char *scheme = NULL, *host = NULL;
    bool allowed = false;
    CURLU *parts = curl_url();
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        allowed = strcmp(scheme, "https") == 0;
        if (strcmp(scheme, "http") == 0) {
            allowed = loopback_is(host);
            for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                allowed |= strcasecmp(host, known[i]) == 0;
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return allowed;
}

/* "Authorization: TOKEN", owned; *line is NULL where none is configured. 1 or -EACCES. */
static int authorization(const struct search *s, char **line)
{
    const char *path = aws_env_get(s->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = aws_env_get(s->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    CLEANUP_FREE char *read = NULL;
    *line = NULL;
    if (path) {
        token = read = search_read_file(s, path, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        if (!read)
            return -EACCES;
    }
    if (!token)
        return 1;
    if (strpbrk(token, "\r\n"))
        return search_fail(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN holds a line break");
    if (asprintf(line, "Authorization: %s", token) < 0)
        *line = NULL;
    return *line ? 1 : search_fail(s, "out of memory");
}

static int ask_container(const struct search *s, const char *url, struct credentials *out)
{
    static const char place[] = "the container's credential endpoint";
    CLEANUP_FREE char *line = NULL;
    int found = authorization(s, &line);
    const char *const headers[] = {"Accept: application/json", line, NULL};
    for (int tries = 1; found == 1; tries++) {
        struct ask_answer answer;
        struct ask question = {.method = "GET",
                               .url = url,
                               .headers = headers,
                               .direct = true,
                               .connect_timeout_ms = search_timeout_ms(s, 2000),
                               .timeout_ms = search_timeout_ms(s, CONTAINER_TIMEOUT_MS),
                               .stop = s->patience->stop};
        bool answered = ask(&question, &answer);
        bool passing = !answered || answer.status >= 500 || answer.status == 429;
        if (passing && tries < CONTAINER_TRIES && search_pause(s, 200L * tries)) {
            ask_answer_clear(&answer);
            continue;
        }
        if (!answered)
            found = search_fail(s, "%s does not answer (%s): check AWS_CONTAINER_CREDENTIALS_*",
                                place, answer.why);
        else if (answer.status != 200)
            found = search_fail(s, "%s refused with HTTP %d: check the role of the task or pod",
                                place, answer.status);
        else
            found = search_take_json(s, out, place, answer.body, answer.len);
        ask_answer_clear(&answer);
        break;
    }
    if (line)
        OPENSSL_cleanse(line, strlen(line));
    return found;
}

int search_container(const struct search *s, struct credentials *out)
{
    const char *relative = aws_env_get(s->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_env_get(s->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[2048];
    if (!relative && !full)
        return 0;
    if (relative && relative[0] != '/')
        return search_fail(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with a slash");
    if ((size_t)snprintf(url, sizeof(url), "%s%s", relative ? ECS_HOST : "",
                         relative ? relative : full) >= sizeof(url))
        return search_fail(s, "AWS_CONTAINER_CREDENTIALS_*_URI is too long");
    if (!credentials_host_allowed(url))
        return search_fail(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to this "
                              "machine or to the addresses of ECS and EKS");
    return s->patience ? ask_container(s, url, out) : -EINPROGRESS;
}

/* ---- instances ---- */

struct instance {
    const struct search *s;
    char base[512];
    int64_t timeout_ms;
    long tries;
    char *token; /* header line; NULL: IMDSv1 */
};

static long positive(const struct search *s, const char *variable, long fallback)
{
    const char *text = aws_env_get(s->env, variable);
    long value = text ? strtol(text, NULL, 10) : 0;
    return value > 0 && value <= 60 ? value : fallback;
}

static bool locate(struct instance *i)
{
    const struct search *s = i->s;
    const char *url = aws_env_get(s->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_env_get(s->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (!url)
        url = aws_profile_get(s->profile, "ec2_metadata_service_endpoint");
    if (!mode)
        mode = aws_profile_get(s->profile, "ec2_metadata_service_endpoint_mode");
    if (!url)
        url = mode && strcasecmp(mode, "ipv6") == 0 ? INSTANCE_HOST_IPV6 : INSTANCE_HOST;
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        len--;
    i->timeout_ms = 1000 * positive(s, "AWS_METADATA_SERVICE_TIMEOUT", 1);
    i->tries = positive(s, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1);
    return (size_t)snprintf(i->base, sizeof(i->base), "%.*s", (int)len, url) < sizeof(i->base);
}

static bool ask_instance(const struct instance *i, const char *method, const char *path,
                         const char *header, struct ask_answer *answer)
{
    char url[1024];
    const char *const headers[] = {header, NULL};
    snprintf(url, sizeof(url), "%s%s", i->base, path);
    for (long tries = 1;; tries++) {
        struct ask question = {.method = method,
                               .url = url,
                               .headers = headers,
                               .direct = true,
                               .connect_timeout_ms = search_timeout_ms(i->s, i->timeout_ms),
                               .timeout_ms = search_timeout_ms(i->s, i->timeout_ms),
                               .stop = i->s->patience->stop};
        bool answered = ask(&question, answer);
        if ((answered && answer->status < 500) || tries >= i->tries || !search_pause(i->s, 100))
            return answered;
        ask_answer_clear(answer);
    }
}

/* 1: there is a token, or IMDSv1 may do; 0: no such service here. In a container behind one hop too
 * many the answer to PUT never arrives, while a GET's may: hence the second way. */
static int get_token(struct instance *i)
{
    struct ask_answer answer;
    bool answered =
        ask_instance(i, "PUT", "/latest/api/token",
                     "X-aws-ec2-metadata-token-ttl-seconds: " INSTANCE_TOKEN_TTL, &answer);
    int status = answer.status, found = 1;
    if (status == 200 && answer.len && !strpbrk(answer.body, "\r\n") &&
        asprintf(&i->token, "X-aws-ec2-metadata-token: %s", answer.body) < 0)
        i->token = NULL;
    if (!i->token && is_true(i->s, "AWS_EC2_METADATA_V1_DISABLED")) {
        search_fail(i->s,
                    "the instance's metadata service gave no token (%s): is its hop limit too low "
                    "for this container?",
                    answered ? "refused" : answer.why);
        found = 0;
    } else if (status == 400) {
        found = search_fail(i->s, "the instance's metadata service refused to give a token");
    } else if (!answered && strstr(answer.why, "onnect")) { /* nobody is there at all */
        search_fail(i->s, "no instance metadata service answers (%s)", answer.why);
        found = 0;
    }
    ask_answer_clear(&answer);
    return found;
}

static int get_role(const struct instance *i, char *path, size_t size)
{
    struct ask_answer answer;
    int found = 0;
    if (!ask_instance(i, "GET", INSTANCE_ROLES, i->token, &answer)) {
        search_fail(i->s, "no instance metadata service answers (%s)", answer.why);
    } else if (answer.status == 404) {
        search_fail(i->s, "this instance has no role");
    } else if (answer.status != 200) {
        search_fail(i->s, "the instance's metadata service refused with HTTP %d", answer.status);
    } else {
        answer.body[strcspn(answer.body, "\r\n")] = '\0';
        size_t name_len = strlen(answer.body);
        if (name_len && strcspn(answer.body, "/?#% ") == name_len &&
            (size_t)snprintf(path, size, INSTANCE_ROLES "%s", answer.body) < size)
            found = 1;
        else
            search_fail(i->s, "this instance has no role");
    }
    ask_answer_clear(&answer);
    return found;
}

static int get_keys(const struct instance *i, const char *path, struct credentials *out)
{
    static const char place[] = "the instance's metadata service";
    struct ask_answer answer;
    int found;
    if (!ask_instance(i, "GET", path, i->token, &answer))
        found = search_fail(i->s, "%s stopped answering (%s)", place, answer.why);
    else if (answer.status != 200)
        found = search_fail(i->s, "%s refused with HTTP %d", place, answer.status);
    else
        found = search_take_json(i->s, out, place, answer.body, answer.len);
    ask_answer_clear(&answer);
    return found;
}

int search_instance(const struct search *s, struct credentials *out)
{
    struct instance i = {.s = s};
    char path[512];
    if (is_true(s, "AWS_EC2_METADATA_DISABLED"))
        return 0;
    if (!s->patience)
        return -EINPROGRESS;
    if (!locate(&i))
        return search_fail(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
    int found = get_token(&i);
    if (found == 1)
        found = get_role(&i, path, sizeof(path));
    if (found == 1)
        found = get_keys(&i, path, out);
    if (i.token)
        OPENSSL_cleanse(i.token, strlen(i.token));
    free(i.token);
    return found;
}
