/* Credentials as JSON: credential_process, container endpoints, instance metadata. */
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "fetch/credentials_internal.h"

#define TOKEN_FILE_MAX (64L * 1024)

int64_t credentials_time(const char *text)
{
    struct tm tm = {0};
    int hours = 0, minutes = 0;
    char sign;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return 0;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    int64_t when_s = (int64_t)timegm(&tm);
    if (strcmp(rest, "Z") == 0 || !*rest)
        return when_s;
    if (sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3 &&
        sscanf(rest, "%c%2d%2d", &sign, &hours, &minutes) != 3)
        return 0;
    if (sign != '+' && sign != '-')
        return 0;
    int64_t offset_s = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    return sign == '+' ? when_s - offset_s : when_s + offset_s;
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && *text ? text : NULL;
}

/* An error instead of keys: {"Code": "…", "Message": "…"}, in the spelling of either endpoint. */
static int say_refusal(const struct search *s, const json_t *object, const char *place)
{
    const char *code = member(object, "Code");
    const char *message = member(object, "Message");
    if (!code)
        code = member(object, "code");
    if (!message)
        message = member(object, "message");
    return search_fail(s, "%s gave no keys%s%.60s%s%.160s", place, code ? ": " : "",
                       code ? code : "", message ? ": " : "", message ? message : "");
}

static int take_object(const struct search *s, struct credentials *out, const char *place,
                       const json_t *object)
{
    static const char *const names[3] = {"AccessKeyId", "SecretAccessKey", "the session token"};
    const char *values[3] = {member(object, names[0]), member(object, names[1]),
                             member(object, "Token")};
    const char *expires = member(object, "Expiration");
    if (!values[2])
        values[2] = member(object, "SessionToken");
    int found = search_take_keys(s, out, place, names, values);
    if (found == 0)
        return say_refusal(s, object, place);
    if (found == 1 && expires) {
        out->expires_s = credentials_time(expires);
        if (out->expires_s <= 0) {
            credentials_clear(out);
            return search_fail(s, "%s gave the Expiration %.40s, which is no time", place, expires);
        }
    }
    return found;
}

int search_take_json(const struct search *s, struct credentials *out, const char *place,
                     const char *text, size_t len)
{
    json_error_t error;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    /* Not error.text: it quotes what stands there, which may be a secret. */
    int found = json_is_object(object)
                    ? take_object(s, out, place, object)
                    : search_fail(s, "%s did not answer with a JSON object", place);
    json_decref(object);
    return found;
}

char *search_read_file(const struct search *s, const char *path, const char *setting)
{
    char full[1024];
    if (!aws_expand_path(s->env, path, full, sizeof(full))) {
        search_fail(s, "the path in %s is too long", setting);
        return NULL;
    }
    CLEANUP_FREE char *text = malloc(TOKEN_FILE_MAX + 1);
    CLEANUP_FCLOSE FILE *file = fopen(full, "re");
    if (!file || !text) {
        search_fail(s, "cannot read %.200s: %s; check %s", full, strerror(errno), setting);
        return NULL;
    }
    size_t len = fread(text, 1, TOKEN_FILE_MAX, file);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    if (len == 0 || strlen(text) != len || strpbrk(text, "\r\n")) {
        OPENSSL_cleanse(text, len);
        search_fail(s, "%.200s holds no token; check %s", full, setting);
        return NULL;
    }
    return take_ptr(text);
}
