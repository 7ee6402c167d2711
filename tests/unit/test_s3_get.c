/* fetch/s3: what a GET asks for, and what it takes. */
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

static void test_get_a_range(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{OK_206("5-14/100", "10") "0123456789", FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    c.s3.offset = 5;
    c.s3.if_match = ETAG;
    struct fake_server *s = CALL_SCRIPT(&c, steps);

    assert_int_equal(c.s3.result.error, 0);
    assert_int_equal(c.s3.result.http_status, 206);
    assert_int_equal(c.s3.result.attempts, 1);
    assert_int_equal(c.s3.result.body_bytes, 10);
    assert_string_equal(c.body, "0123456789");
    assert_int_equal(c.s3.meta.size_bytes, 100);
    assert_int_equal(c.s3.meta.mtime_s, 10);
    assert_string_equal(c.s3.meta.etag, ETAG);
    const char *sent = s->requests[0];
    assert_non_null(strstr(sent, "GET /bucket/a%20key%2B%25%23%3F HTTP/1.1\r\n"));
    assert_non_null(strstr(sent, "Range: bytes=5-14\r\n"));
    assert_non_null(strstr(sent, "If-Match: " ETAG "\r\n"));
    assert_non_null(strstr(sent, "x-amz-security-token: token\r\n"));
    assert_non_null(strstr(sent, "Authorization: AWS4-HMAC-SHA256 Credential=AKID/"));
    assert_null(strstr(sent, "secret"));
    fake_free(s);
}

static void test_anonymous_requests_are_not_signed(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{OK_206("0-9/100", "10") "0123456789", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    struct s3_context *context = context_for(s->url + strlen("http://"), false);
    struct call c;
    call_init(&c, S3_GET);
    call_run(&c, e, context);
    http_engine_free(e);
    s3_context_unref(context);
    fake_stop(s);
    assert_int_equal(c.s3.result.error, 0);
    assert_null(strstr(s->requests[0], "Authorization"));
    assert_null(strstr(s->requests[0], "x-amz"));
    fake_free(s);
}

static void test_get_ends_with_the_object(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{OK_206("5-7/8", "3") "xyz", FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    c.s3.offset = 5;
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, 0);
    assert_string_equal(c.body, "xyz");
    assert_int_equal(c.s3.meta.size_bytes, 8);
}

static void test_a_short_body_is_resumed(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {OK_206("5-14/100", "10") "0123", FAKE_CLOSE},
        {NO_BODY("500 Oops"), FAKE_KEEP},
        {OK_206("9-14/100", "6") "45", FAKE_CLOSE},
        {OK_206("11-14/100", "4") "6789", FAKE_KEEP},
    };
    struct call c;
    call_init(&c, S3_GET);
    c.s3.offset = 5;
    struct fake_server *s = CALL_SCRIPT(&c, steps);
    assert_int_equal(c.s3.result.error, 0);
    assert_string_equal(c.body, "0123456789");
    assert_int_equal(c.s3.result.attempts, 4);
    assert_int_equal(c.s3.result.body_bytes, 10);
    assert_null(strstr(s->requests[0], "If-Match"));
    assert_non_null(strstr(s->requests[1], "Range: bytes=9-14\r\n"));
    assert_non_null(strstr(s->requests[1], "If-Match: " ETAG "\r\n"));
    assert_non_null(strstr(s->requests[3], "Range: bytes=11-14\r\n"));
    fake_free(s);
}

static void test_versions_never_mix(void **unused)
{
    (void)unused;
    static const struct fake_step other_etag[] = {
        {OK_206("0-9/100", "10") "0123", FAKE_CLOSE},
        {"HTTP/1.1 206 Partial\r\nETag: \"e2\"\r\nContent-Range: bytes 4-9/100\r\n"
         "Content-Length: 6\r\n\r\nabcdef",
         FAKE_KEEP}};
    static const struct fake_step refused[] = {
        {OK_206("0-9/100", "10") "0123", FAKE_CLOSE},
        {ERROR_DOCUMENT("412 Precondition Failed", "PreconditionFailed"), FAKE_CLOSE}};
    struct call c;
    call_init(&c, S3_GET);
    fake_free(CALL_SCRIPT(&c, other_etag));
    assert_int_equal(c.s3.result.error, -ESTALE);
    assert_string_equal(c.body, "0123");
    call_init(&c, S3_GET);
    fake_free(CALL_SCRIPT(&c, refused));
    assert_int_equal(c.s3.result.error, -ESTALE);
    assert_int_equal(c.s3.result.http_status, 412);
    /* A server that ignores If-Match must not get away with it either. */
    static const struct fake_step ignored[] = {{OK_206("0-9/100", "10") "0123456789", FAKE_KEEP}};
    call_init(&c, S3_GET);
    c.s3.if_match = "\"e0\"";
    fake_free(CALL_SCRIPT(&c, ignored));
    assert_int_equal(c.s3.result.error, -ESTALE);
    assert_string_equal(c.body, "");
}

static void test_the_caller_can_give_up(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{OK_206("0-9/100", "10") "0123456789", FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    c.refuse = -ENOSPC;
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, -ENOSPC);
    assert_int_equal(c.s3.result.attempts, 1);
}

#define OK_200(len) "HTTP/1.1 200 OK\r\nETag: " ETAG "\r\nContent-Length: " len "\r\n\r\n"

/* A range only where the object turns out not to be what was expected. */
static void test_a_small_object_is_got_whole(void **unused)
{
    (void)unused;
    static const struct fake_step small[] = {{OK_200("4") "0123", FAKE_KEEP}};
    static const struct fake_step others[][2] = {
        {{OK_200("11") "0123456789a", FAKE_CLOSE},
         {OK_206("0-9/11", "10") "0123456789", FAKE_KEEP}},
        {{OK_200("0"), FAKE_CLOSE}, {OK_206("0-9/11", "10") "0123456789", FAKE_KEEP}},
        {{OK_200("4") "01", FAKE_CLOSE}, {OK_206("2-3/4", "2") "23", FAKE_KEEP}},
    };
    static const char *const range[] = {"bytes=0-9\r\n", "bytes=0-9\r\n", "bytes=2-9\r\n"};
    static const char *const body[] = {"0123456789", "0123456789", "0123"};
    struct call c;
    call_init(&c, S3_GET);
    c.s3.expects_whole = true;
    struct fake_server *s = CALL_SCRIPT(&c, small);
    assert_int_equal(c.s3.result.error, 0);
    assert_int_equal(c.s3.result.attempts, 1);
    assert_int_equal(c.s3.meta.size_bytes, 4);
    assert_string_equal(c.body, "0123");
    assert_null(strstr(s->requests[0], "Range:"));
    fake_free(s);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        call_init(&c, S3_GET);
        c.s3.expects_whole = true;
        s = CALL_SCRIPT(&c, others[i]);
        assert_int_equal(c.s3.result.error, 0);
        assert_int_equal(c.s3.result.attempts, 2);
        assert_string_equal(c.body, body[i]);
        assert_non_null(strstr(s->requests[1], range[i]));
        fake_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_a_range),
        cmocka_unit_test(test_anonymous_requests_are_not_signed),
        cmocka_unit_test(test_get_ends_with_the_object),
        cmocka_unit_test(test_a_short_body_is_resumed),
        cmocka_unit_test(test_versions_never_mix),
        cmocka_unit_test(test_the_caller_can_give_up),
        cmocka_unit_test(test_a_small_object_is_got_whole),
    };
    return cmocka_run_group_tests_name("s3-get", tests, NULL, NULL);
}
