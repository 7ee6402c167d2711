/* A mapping's options that change how S3 is asked. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "fetch/s3.h"

#define KEY_BYTES    32
#define BASE64_BYTES 44

/* 32 bytes as they are, or their base64 with perhaps a line's end. */
static bool take_key(const unsigned char *text, size_t len, unsigned char key[KEY_BYTES])
{
    unsigned char decoded[BASE64_BYTES + 4];
    if (len == KEY_BYTES) {
        memcpy(key, text, KEY_BYTES);
        return true;
    }
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    bool fine = len == BASE64_BYTES && text[BASE64_BYTES - 1] == '=' &&
                text[BASE64_BYTES - 2] != '=' &&
                EVP_DecodeBlock(decoded, text, BASE64_BYTES) == KEY_BYTES + 1;
    if (fine)
        memcpy(key, decoded, KEY_BYTES);
    OPENSSL_cleanse(decoded, sizeof(decoded));
    return fine;
}

static int read_key(const char *path, size_t path_len, struct s3_access *out, char *why,
                    size_t why_size)
{
    char name[1024];
    unsigned char text[128];
    snprintf(name, sizeof(name), "%.*s", (int)(path_len < 1000 ? path_len : 1000), path);
    CLEANUP_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    if (len < 0) {
        snprintf(why, why_size, "cannot read %.200s: %s; check sse_c_key_file in WARMPATH_MAP",
                 name, strerror(errno));
        return -EACCES;
    }
    out->has_sse_c_key = take_key(text, (size_t)len, out->sse_c_key);
    OPENSSL_cleanse(text, sizeof(text));
    if (out->has_sse_c_key)
        return 0;
    snprintf(why, why_size,
             "%.200s (sse_c_key_file in WARMPATH_MAP) holds no key: it must be 32 bytes or their "
             "base64",
             name);
    return -EACCES;
}

int s3_access_parse(const char *options, struct s3_access *out, char *why, size_t why_size)
{
    static const char pays[] = "requester_pays", key_file[] = "sse_c_key_file=";
    int error = 0;
    memset(out, 0, sizeof(*out));
    while (*options && !error) {
        size_t len = strcspn(options, "&");
        if (strncmp(options, pays, strlen(pays)) == 0)
            out->requester_pays = true;
        else if (len > strlen(key_file) && strncmp(options, key_file, strlen(key_file)) == 0)
            error =
                read_key(options + strlen(key_file), len - strlen(key_file), out, why, why_size);
        options += len + (options[len] == '&');
    }
    return error;
}
