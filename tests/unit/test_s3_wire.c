/* Where a request goes and what it says there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/s3_wire.h"

static const char *header(const struct s3_wire *w, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < w->n_headers; i++)
        if (strncmp(w->headers[i], name, len) == 0 && w->headers[i][len] == ':')
            return w->headers[i] + len + 2;
    return NULL;
}

static void build(struct s3_wire *w, const char *scheme, enum s3_style style, enum s3_op op,
                  const char *bucket, const char *key)
{
    char scheme_text[8], authority[] = "host:81", base_path[] = "/base", region[] = "r-1";
    char access_key[] = "AKID", secret_key[] = "secret";
    strcpy(scheme_text, scheme);
    const struct s3_endpoint endpoint = {.scheme = scheme_text,
                                         .authority = authority,
                                         .base_path = base_path,
                                         .region = region,
                                         .style = style};
    const struct credentials credentials = {.access_key = access_key, .secret_key = secret_key};
    const struct s3_request request = {.op = op, .bucket = bucket, .key = key, .max_keys = 7};
    const struct s3_wire_want want = {.method = "GET", .first = 5, .last = 9, .now_s = 0};
    assert_int_equal(s3_wire_build(w, &endpoint, &credentials, &request, &want), 0);
}

/* The bucket stands before the host where DNS and certificates allow it, else in the path. */
static void test_styles(void **unused)
{
    (void)unused;
    static const struct {
        const char *scheme;
        enum s3_style style;
        const char *bucket, *url, *host;
    } rows[] = {
        {"http", S3_STYLE_PATH, "bucket", "http://host:81/base/bucket/a%20key/b", "host:81"},
        {"https", S3_STYLE_VIRTUAL, "bucket", "https://bucket.host:81/base/a%20key/b",
         "bucket.host:81"},
        {"https", S3_STYLE_VIRTUAL, "mine-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias",
         "https://mine-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias.host:81/base/a%20key/b",
         "mine-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias.host:81"},
        {"http", S3_STYLE_VIRTUAL, "with.dot", "http://with.dot.host:81/base/a%20key/b",
         "with.dot.host:81"},
        {"https", S3_STYLE_VIRTUAL, "with.dot", "https://host:81/base/with.dot/a%20key/b",
         "host:81"},
        {"https", S3_STYLE_VIRTUAL, "Old_Name", "https://host:81/base/Old_Name/a%20key/b",
         "host:81"},
        {"http", S3_STYLE_VIRTUAL, "-dash", "http://host:81/base/-dash/a%20key/b", "host:81"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct s3_wire w;
        build(&w, rows[i].scheme, rows[i].style, S3_GET, rows[i].bucket, "a key/b");
        assert_string_equal(w.url, rows[i].url);
        assert_string_equal(header(&w, "Host"), rows[i].host);
        s3_wire_clear(&w);
    }
}

/* Nobody on the way may change the body: what is asked for is what counts in Content-Range. */
static void test_what_is_said(void **unused)
{
    (void)unused;
    struct s3_wire w;
    build(&w, "http", S3_STYLE_PATH, S3_GET, "bucket", "key");
    assert_string_equal(header(&w, "Range"), "bytes=5-9");
    assert_string_equal(header(&w, "Accept-Encoding"), "identity");
    assert_null(header(&w, "If-Match"));
    assert_non_null(strstr(header(&w, "Authorization"), "/19700101/r-1/s3/aws4_request"));
    s3_wire_clear(&w);
    build(&w, "http", S3_STYLE_VIRTUAL, S3_LIST, "bucket", NULL);
    assert_string_equal(w.url, "http://bucket.host:81/base/"
                               "?delimiter=%2F&encoding-type=url&list-type=2&max-keys=7&prefix=");
    assert_null(header(&w, "Range"));
    s3_wire_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_styles),
        cmocka_unit_test(test_what_is_said),
    };
    return cmocka_run_group_tests_name("s3_wire", tests, NULL, NULL);
}
