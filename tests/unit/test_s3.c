/* fetch/s3: what each answer means, and how long it is waited for. */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "fetch/s3.h"
#include "tests/unit/s3_call.h"

/* ---- statuses ---- */

struct status_row {
    enum s3_op op;
    const char *reply;
    int error;
    int http_status;
    uint32_t attempts;
    const char *words;
    const char *second; /* what the next requests get, if not the same */
};

static const struct status_row status_rows[] = {
    {S3_GET, ERROR_DOCUMENT("404 No", "NoSuchKey"), -ENOENT, 404, 1, "no such key", NULL},
    {S3_GET, ERROR_DOCUMENT("404 No", "NoSuchBucket"), -ENOENT, 404, 1, "no such bucket", NULL},
    {S3_LIST, ERROR_DOCUMENT("404 No", "NoSuchBucket"), -ENOENT, 404, 1, "no such bucket", NULL},
    {S3_HEAD, NO_BODY("404 No"), -ENOENT, 404, 1, "no such key or bucket", NULL},
    {S3_GET, NO_BODY("404 No"), -EIO, 404, 1, "AWS_ENDPOINT_URL_S3", NULL},
    {S3_HEAD, "HTTP/1.1 404 No\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n", -EIO, 404,
     1, "AWS_ENDPOINT_URL_S3", NULL},
    {S3_GET, ERROR_DOCUMENT("403 No", "SignatureDoesNotMatch"), -EACCES, 403, 1,
     "AWS_SECRET_ACCESS_KEY", NULL},
    {S3_GET, ERROR_DOCUMENT("403 No", "InvalidAccessKeyId"), -EACCES, 403, 1, "AWS_ACCESS_KEY_ID",
     NULL},
    {S3_GET, ERROR_DOCUMENT("400 No", "ExpiredToken"), -EACCES, 400, 1, "AWS_SESSION_TOKEN", NULL},
    {S3_LIST, ERROR_DOCUMENT("403 No", "RequestTimeTooSkewed"), -EACCES, 403, 1, "clock", NULL},
    {S3_GET, "HTTP/1.1 403 No\r\nContent-Length: 15\r\n\r\n<html>no</html>", -EACCES, 403, 1,
     "credentials", NULL},
    {S3_GET, NO_BODY("401 No"), -EACCES, 401, 1, "credentials", NULL},
    /* What only S3 can explain: a key of KMS, an object that wants the customer's. */
    {S3_GET,
     ERROR_DOCUMENT("400 No", "KMS.DisabledException</Code><Message>arn:key is disabled.</Message>"
                              "<Code>KMS.DisabledException"),
     -EIO, 400, 1, "KMS.DisabledException: arn:key is disabled.", NULL},
    {S3_HEAD, NO_BODY("400 No"), -EIO, 400, 2, "InvalidRequest: stored using SSE",
     ERROR_DOCUMENT("400 No", "InvalidRequest</Code><Message>stored using SSE</Message>"
                              "<Code>InvalidRequest")},
    {S3_GET, NO_BODY("400 No"), -EIO, 400, 1, "AWS_SESSION_TOKEN", NULL},
    /* A refused HEAD has no document: one GET fetches it. */
    {S3_HEAD, NO_BODY("403 No"), -EACCES, 403, 2, "AWS_SECRET_ACCESS_KEY",
     ERROR_DOCUMENT("403 No", "SignatureDoesNotMatch")},
    {S3_HEAD, NO_BODY("400 No"), -EACCES, 400, 2, "AWS_SESSION_TOKEN",
     ERROR_DOCUMENT("400 No", "ExpiredToken")},
    {S3_HEAD, NO_BODY("403 No"), -EACCES, 403, 2, "access denied", OK_206("0-0/1", "1") "x"},
    {S3_HEAD, NO_BODY("403 No"), -EACCES, 403, 2, "access denied", ""},
    /* Asked in the region that is named; that it names the same again is the end. */
    {S3_GET, "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n",
     -EIO, 301, 2, "AWS_REGION=eu-west-1", NULL},
    {S3_LIST,
     ERROR_DOCUMENT("400 No", "AuthorizationHeaderMalformed</Code><Region>ap-south-1</Region><Code>"
                              "AuthorizationHeaderMalformed"),
     -EIO, 400, 2, "AWS_REGION=ap-south-1", NULL},
    {S3_GET, ERROR_DOCUMENT("416 No", "InvalidRange"), 0, 416, 1, "", NULL},
    {S3_GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<Error />", -EIO, 200, 3, "no ETag",
     NULL},
    {S3_HEAD, "HTTP/1.1 200 OK\r\nETag: " ETAG "\r\n\r\n", -EIO, 200, 3, "Content-Length", NULL},
    {S3_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", -EIO, 200, 3, "no ETag", NULL},
    {S3_LIST, "HTTP/1.1 200 OK\r\n\r\n<html>hi</html>", -EIO, 200, 3,
     "not an S3 endpoint? check AWS_ENDPOINT_URL_S3", NULL},
    {S3_LIST, ERROR_DOCUMENT("200 OK", "InternalError"), -EIO, 200, 3, "InternalError", NULL},
    {S3_LIST, "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>", -EIO, 200, 3, "no S3 listing", NULL},
    {S3_GET, NO_BODY("304 Not Modified"), -EIO, 304, 1, "304", NULL}, /* nobody asked */
    {S3_GET, NO_BODY("501 Not Implemented"), -EIO, 501, 1, "501", NULL},
};

static void test_what_each_status_means(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
        const struct status_row *row = &status_rows[i];
        const struct fake_step steps[] = {{row->reply, FAKE_CLOSE}, {row->second, FAKE_CLOSE}};
        struct call c;
        call_init(&c, row->op);
        fake_free(call_script(&c, steps, row->second ? 2 : 1));
        const struct s3_result *result = &c.s3.result;
        if (result->error != row->error || result->http_status != row->http_status ||
            result->attempts != row->attempts || !strstr(result->why, row->words))
            fail_msg("row %zu: error %d, HTTP %d, attempts %u: %s", i, result->error,
                     result->http_status, result->attempts, result->why);
        assert_string_equal(c.body, "");
        assert_string_equal(c.entries, "");
    }
}

static void test_not_modified(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{NO_BODY("304 Not Modified"), FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_HEAD);
    c.s3.if_none_match = ETAG;
    struct fake_server *s = CALL_SCRIPT(&c, steps);
    assert_int_equal(c.s3.result.error, 0);
    assert_int_equal(c.s3.result.http_status, 304);
    assert_non_null(strstr(s->requests[0], "HEAD /bucket/"));
    assert_non_null(strstr(s->requests[0], "If-None-Match: " ETAG "\r\n"));
    fake_free(s);
}

static void test_faults_that_pass_are_waited_for(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {ERROR_DOCUMENT("503 Busy", "SlowDown"), FAKE_CLOSE},
        {NO_BODY("500 Oops"), FAKE_KEEP},
        {NULL, FAKE_CLOSE},
        {"HTTP/1.1 429 Easy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP},
        {"HTTP/1.1 200 OK\r\nETag: e1\r\nContent-Length: 12345678901\r\n\r\n", FAKE_KEEP},
    };
    struct call c;
    call_init(&c, S3_HEAD);
    int64_t before_ms = clock_monotonic_ms();
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, 0);
    assert_int_equal(c.s3.result.attempts, 5);
    assert_int_equal(c.s3.meta.size_bytes, 12345678901);
    assert_string_equal(c.s3.meta.etag, ETAG);
    assert_true(clock_monotonic_ms() - before_ms >= 1000);
}

static void test_faults_that_stay_end_at_the_deadline(void **unused)
{
    (void)unused;
    static const struct {
        struct fake_step step;
        int error;
        const char *words;
    } rows[] = {
        {{NO_BODY("503 Busy"), FAKE_KEEP}, -EIO, "HTTP 503"},
        {{NULL, FAKE_STALL}, -ETIMEDOUT, "did not answer"},
        {{OK_206("0-9/100", "10"), FAKE_STALL}, -ETIMEDOUT, "its answer"},
        {{NULL, FAKE_CLOSE}, -EIO, "closed the connection"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call c;
        int64_t before_ms = clock_monotonic_ms();
        call_init(&c, S3_GET);
        c.s3.deadline_ms = 900;
        fake_free(call_script(&c, &rows[i].step, 1));
        if (c.s3.result.error != rows[i].error || !strstr(c.s3.result.why, rows[i].words) ||
            !strstr(c.s3.result.why, "gave up after"))
            fail_msg("row %zu: %d: %s", i, c.s3.result.error, c.s3.result.why);
        assert_true(c.s3.result.attempts > 1);
        assert_in_range(clock_monotonic_ms() - before_ms, 0, 4000);
    }
}

static void test_nobody_there(void **unused)
{
    (void)unused;
    char authority[64];
    struct call c;
    struct http_engine *e = http_engine_new(1);
    snprintf(authority, sizeof(authority), "127.0.0.1:%d", fake_dead_port());
    struct s3_context *context = context_for(authority, true);
    int64_t before_ms = clock_monotonic_ms();

    call_init(&c, S3_HEAD);
    c.s3.deadline_ms = 60000;
    call_run(&c, e, context);
    assert_int_equal(c.s3.result.error, -EIO);
    assert_non_null(strstr(c.s3.result.why, "Connection refused"));
    assert_non_null(strstr(c.s3.result.why, "AWS_ENDPOINT_URL_S3"));
    assert_non_null(strstr(c.s3.result.why, "gave up after 6 attempts"));
    assert_in_range(clock_monotonic_ms() - before_ms, 0, 15000);
    http_engine_free(e);
    s3_context_unref(context);
}

/* ---- requests that are refused at once ---- */

static void test_bad_requests(void **unused)
{
    (void)unused;
    static char long_key[S3_KEY_MAX + 2];
    struct http_engine *e = http_engine_new(1);
    struct s3_context *context = context_for("127.0.0.1:1", true);
    struct call c;

    call_init(&c, S3_GET);
    c.s3.context = context;
    c.s3.length = 0;
    assert_int_equal(s3_submit(e, &c.s3), -EINVAL);
    c.s3.length = UINT64_MAX;
    c.s3.offset = 1;
    assert_int_equal(s3_submit(e, &c.s3), -EINVAL);
    call_init(&c, S3_HEAD);
    c.s3.context = context;
    c.s3.key = "";
    assert_int_equal(s3_submit(e, &c.s3), -EINVAL);
    memset(long_key, 'k', sizeof(long_key) - 1);
    c.s3.key = long_key;
    assert_int_equal(s3_submit(e, &c.s3), -ENAMETOOLONG);
    c.s3.key = "k";
    c.s3.bucket = "a/b";
    assert_int_equal(s3_submit(e, &c.s3), -EINVAL);
    call_init(&c, S3_LIST);
    c.s3.context = context;
    c.s3.max_keys = 1001;
    assert_int_equal(s3_submit(e, &c.s3), -EINVAL);
    http_engine_free(e);
    s3_context_unref(context);
}

static void test_context_names_its_endpoint(void **unused)
{
    (void)unused;
    struct s3_context *c = context_for("host:1", true);
    struct s3_context *same = s3_context_ref(c);
    s3_context_unref(c);
    assert_string_equal(s3_context_endpoint(same), "http://host:1");
    s3_context_unref(same);
    s3_context_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_each_status_means),
        cmocka_unit_test(test_not_modified),
        cmocka_unit_test(test_faults_that_pass_are_waited_for),
        cmocka_unit_test(test_faults_that_stay_end_at_the_deadline),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_context_names_its_endpoint),
    };
    return cmocka_run_group_tests_name("s3", tests, NULL, NULL);
}
