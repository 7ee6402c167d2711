#include "common/secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/options.h"
#include "common/sha256.h"

#define SECRET_LEAST 16 /* characters; fewer could be tried out */

static void base64url(const uint8_t *data, size_t len, char *out, size_t chars)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < chars; i++) {
        size_t bit = i * 6, at = bit / 8;
        unsigned two = (unsigned)data[at] << 8 | (at + 1 < len ? data[at + 1] : 0);
        out[i] = digits[two >> (10 - bit % 8) & 63];
    }
    out[chars] = '\0';
}

int secret_load(struct secret *out, char *why, size_t why_size)
{
    char line[1024];
    const char *text = option_text(OPT_CLUSTER_SECRET);
    memset(out, 0, sizeof(*out));
    if (!*text)
        return 0;
    if (*text == '@') {
        CLEANUP_FCLOSE FILE *file = fopen(text + 1, "re");
        if (!file || !fgets(line, sizeof(line), file)) {
            int error = file ? EINVAL : errno;
            snprintf(why, why_size, "WARMPATH_CLUSTER_SECRET: %s can't be read: %s", text + 1,
                     strerror(error));
            return -error;
        }
        line[strcspn(line, "\r\n")] = '\0';
        text = line;
    }
    if (strlen(text) < SECRET_LEAST) {
        snprintf(why, why_size, "WARMPATH_CLUSTER_SECRET needs %d characters or more",
                 SECRET_LEAST);
        return -EINVAL;
    }
    static const char purpose[] = "warmpath cluster secret";
    sha256_hmac(text, strlen(text), purpose, sizeof(purpose) - 1, out->key);
    out->is_set = true;
    return 0;
}

void secret_name(const struct secret *s, const char *purpose, const void *data, size_t len,
                 char *out, size_t chars)
{
    uint8_t text[256], digest[SHA256_BYTES];
    size_t purpose_len = strlen(purpose) + 1; /* its zero keeps the two apart */
    if (purpose_len + len > sizeof(text))
        len = sizeof(text) - purpose_len;
    memcpy(text, purpose, purpose_len);
    memcpy(text + purpose_len, data, len);
    sha256_hmac(s->key, sizeof(s->key), text, purpose_len + len, digest);
    base64url(digest, sizeof(digest), out, chars);
}

void secret_link_key(const struct secret *s, char out[SECRET_LINK_SIZE])
{
    secret_name(s, "link", "", 0, out, SECRET_LINK_SIZE - 1);
}

void secret_link_args(const char *link_key, const char *path, int64_t expires_s,
                      char out[SECRET_LINK_ARGS])
{
    char text[512], token[23];
    uint8_t digest[EVP_MAX_MD_SIZE];
    int len = snprintf(text, sizeof(text), "%lld%s %s", (long long)expires_s, path, link_key);
    out[0] = '\0';
    if (len < 0 || (size_t)len >= sizeof(text) ||
        !EVP_Digest(text, (size_t)len, digest, NULL, EVP_md5(), NULL))
        return;
    base64url(digest, 16, token, 22);
    snprintf(out, SECRET_LINK_ARGS, "t=%s&e=%lld", token, (long long)expires_s);
}
