/* fetch/sigv4 on AWS's own vectors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/sigv4.h"
#include "tests/unit/sigv4_vectors.h"

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
