#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/sigv4.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_DATE      1369353600 /* 2013-05-24 00:00:00 UTC */
#define SUITE_DATE   1440938160 /* 2015-08-30 12:36:00 UTC */

struct vector {
    const char *name;
    const char *method, *path, *query, *payload, *service;
    int64_t when_s;
    struct sigv4_header headers[5];
    const char *signed_headers, *signature;
};

/* Sources: Amazon S3 API Reference, "Signature Calculations for the Authorization Header",
 * examples; AWS Signature Version 4 test suite and the IAM example of the General Reference. */
static const struct vector s3_vectors[] = {
    {"S3: GET object",
     "GET",
     "/test.txt",
     "",
     EMPTY_SHA256,
     "s3",
     S3_DATE,
     {{"Host", "examplebucket.s3.amazonaws.com"},
      {"Range", "bytes=0-9"},
      {"x-amz-content-sha256", EMPTY_SHA256},
      {"x-amz-date", "20130524T000000Z"}},
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"S3: PUT object",
     "PUT",
     "/test%24file.text",
     "",
     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     "s3",
     S3_DATE,
     {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
      {"Host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
      {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}},
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"S3: GET bucket lifecycle",
     "GET",
     "/",
     "lifecycle=",
     EMPTY_SHA256,
     "s3",
     S3_DATE,
     {{"Host", "examplebucket.s3.amazonaws.com"},
      {"x-amz-content-sha256", EMPTY_SHA256},
      {"x-amz-date", "20130524T000000Z"}},
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"S3: list objects",
     "GET",
     "/",
     "max-keys=2&prefix=J",
     EMPTY_SHA256,
     "s3",
     S3_DATE,
     {{"x-amz-date", "20130524T000000Z"},
      {"x-amz-content-sha256", EMPTY_SHA256},
      {"Host", "examplebucket.s3.amazonaws.com"}},
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static const struct vector suite_vectors[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param1=value1&Param2=value2",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"},
      {"My-Header1", " value1"},
      {"My-Header2", " \"a   b   c\""},
      {"X-Amz-Date", "20150830T123600Z"}},
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     "GET",
     "/%E1%88%B4",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-vanilla-utf8-query",
     "GET",
     "/",
     "%E1%88%B4=bar",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     "Param1=value1",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~"
     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"post-vanilla",
     "POST",
     "/",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query",
     "POST",
     "/",
     "Param1=value1",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-header-key-sort",
     "POST",
     "/",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"},
      {"My-Header1", "value1"},
      {"X-Amz-Date", "20150830T123600Z"}},
     "host;my-header1;x-amz-date",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-header-value-case",
     "POST",
     "/",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"},
      {"My-Header1", "VALUE1"},
      {"X-Amz-Date", "20150830T123600Z"}},
     "host;my-header1;x-amz-date",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"},
      {"Content-Type", "application/x-www-form-urlencoded"},
      {"X-Amz-Date", "20150830T123600Z"}},
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"post-sts-header-before",
     "POST",
     "/",
     "",
     EMPTY_SHA256,
     "service",
     SUITE_DATE,
     {{"Host", "example.amazonaws.com"},
      {"X-Amz-Security-Token",
       "AQoDYXdzEPT//////////"
       "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwt"
       "hAx7mSEI/qkPpKPi/"
       "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQc"
       "HNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
       "scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="},
      {"X-Amz-Date", "20150830T123600Z"}},
     "host;x-amz-date;x-amz-security-token",
     "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {"IAM: list users",
     "GET",
     "/",
     "Action=ListUsers&Version=2010-05-08",
     EMPTY_SHA256,
     "iam",
     SUITE_DATE,
     {{"Host", "iam.amazonaws.com"},
      {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
      {"X-Amz-Date", "20150830T123600Z"}},
     "content-type;host;x-amz-date",
     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
};

static char s3_key[] = "AKIAIOSFODNN7EXAMPLE",
            s3_secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static char suite_key[] = "AKIDEXAMPLE",
            suite_secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static const struct credentials s3_credentials = {.access_key = s3_key, .secret_key = s3_secret};
static const struct credentials suite_credentials = {.access_key = suite_key,
                                                     .secret_key = suite_secret};

static struct sigv4_request request_of(const struct vector *v)
{
    size_t n = 0;
    while (n < 5 && v->headers[n].name)
        n++;
    return (struct sigv4_request){.method = v->method,
                                  .path = v->path,
                                  .query = v->query,
                                  .payload_sha256 = v->payload,
                                  .headers = v->headers,
                                  .n_headers = n,
                                  .region = "us-east-1",
                                  .service = v->service,
                                  .when_s = v->when_s};
}

static void check_vectors(const struct vector *vectors, size_t n, const struct credentials *c,
                          struct sigv4_memo *memo)
{
    for (size_t i = 0; i < n; i++) {
        const struct vector *v = &vectors[i];
        struct sigv4_request r = request_of(v);
        r.memo = memo;
        char date[17], want[512], got[512];
        sigv4_date(v->when_s, date);
        snprintf(want, sizeof(want),
                 "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request,SignedHeaders=%s,"
                 "Signature=%s",
                 c->access_key, date, v->service, v->signed_headers, v->signature);
        int len = sigv4_authorization(&r, c, got, sizeof(got));
        if (len != (int)strlen(want) || strcmp(got, want) != 0)
            fail_msg("%s:\n want %s\n got  %s (%d)", v->name, want, len > 0 ? got : "", len);
    }
}

static void check_all_vectors(struct sigv4_memo *memo)
{
    check_vectors(s3_vectors, sizeof(s3_vectors) / sizeof(s3_vectors[0]), &s3_credentials, memo);
    check_vectors(suite_vectors, sizeof(suite_vectors) / sizeof(suite_vectors[0]),
                  &suite_credentials, memo);
}

static void test_published_vectors(void **unused)
{
    (void)unused;
    check_all_vectors(NULL);
}

/* The vectors differ in secret key, day and service. */
static void test_a_remembered_key_is_the_right_one(void **unused)
{
    (void)unused;
    struct sigv4_memo memo;
    sigv4_memo_init(&memo);
    check_all_vectors(&memo);
    check_all_vectors(&memo);
    sigv4_memo_clear(&memo);
}

static void test_another_region_is_another_key(void **unused)
{
    (void)unused;
    char here[512], there[512], again[512];
    struct sigv4_memo memo;
    struct sigv4_request r = request_of(&s3_vectors[0]);
    sigv4_memo_init(&memo);
    r.region = "eu-west-1";
    assert_true(sigv4_authorization(&r, &s3_credentials, there, sizeof(there)) > 0);
    r.memo = &memo;
    r.region = "us-east-1";
    assert_true(sigv4_authorization(&r, &s3_credentials, here, sizeof(here)) > 0);
    r.region = "eu-west-1";
    assert_true(sigv4_authorization(&r, &s3_credentials, again, sizeof(again)) > 0);
    assert_string_equal(again, there);
    sigv4_memo_clear(&memo);
}

static void test_refuses_what_cannot_be_signed(void **unused)
{
    (void)unused;
    char out[512];
    struct sigv4_request r = request_of(&s3_vectors[0]);
    const struct credentials none = {0};

    assert_int_equal(sigv4_authorization(&r, &none, out, sizeof(out)), -EINVAL);
    r.when_s++; /* x-amz-date says something else */
    assert_int_equal(sigv4_authorization(&r, &s3_credentials, out, sizeof(out)), -EINVAL);
    r.when_s--;
    r.n_headers = 0;
    assert_int_equal(sigv4_authorization(&r, &s3_credentials, out, sizeof(out)), -EINVAL);
}

static void test_room_for_the_header(void **unused)
{
    (void)unused;
    char out[512];
    struct sigv4_request r = request_of(&s3_vectors[0]);
    int len = sigv4_authorization(&r, &s3_credentials, out, sizeof(out));

    assert_true(len > 0);
    assert_int_equal(sigv4_authorization(&r, &s3_credentials, out, (size_t)len + 1), len);
    assert_int_equal(sigv4_authorization(&r, &s3_credentials, out, (size_t)len), -ENOSPC);
    assert_int_equal(sigv4_authorization(&r, &s3_credentials, out, 0), -ENOSPC);
}

static void test_encode(void **unused)
{
    (void)unused;
    static const struct {
        const char *in;
        int keep_slash;
        const char *want;
    } rows[] = {
        {"", 0, ""},
        {"AZaz09-_.~", 0, "AZaz09-_.~"},
        {"a b", 0, "a%20b"},
        {"a+b%c#d?e&f=g", 0, "a%2Bb%25c%23d%3Fe%26f%3Dg"},
        {"/a//b/", 1, "/a//b/"},
        {"/a//b/", 0, "%2Fa%2F%2Fb%2F"},
        {"\xc3\xbc\xff\x01\x7f", 0, "%C3%BC%FF%01%7F"},
        {"(*)'!@:,;$[]", 0, "%28%2A%29%27%21%40%3A%2C%3B%24%5B%5D"},
    };
    char out[128];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t want = strlen(rows[i].want);
        int len =
            sigv4_encode(rows[i].in, strlen(rows[i].in), rows[i].keep_slash, out, sizeof(out));
        assert_int_equal(len, want);
        assert_string_equal(out, rows[i].want);
        for (size_t size = 0; size <= want; size++) /* every size that is too small */
            assert_int_equal(
                sigv4_encode(rows[i].in, strlen(rows[i].in), rows[i].keep_slash, out, size),
                -ENOSPC);
        assert_int_equal(
            sigv4_encode(rows[i].in, strlen(rows[i].in), rows[i].keep_slash, out, want + 1), want);
    }
}

static void test_date(void **unused)
{
    (void)unused;
    char out[17];
    sigv4_date(S3_DATE, out);
    assert_string_equal(out, "20130524T000000Z");
    sigv4_date(1709251199, out);
    assert_string_equal(out, "20240229T235959Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_a_remembered_key_is_the_right_one),
        cmocka_unit_test(test_another_region_is_another_key),
        cmocka_unit_test(test_refuses_what_cannot_be_signed),
        cmocka_unit_test(test_room_for_the_header),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_date),
    };
    return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
