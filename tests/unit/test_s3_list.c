/* Pages of a listing: whole or not at all, and each leads on. */
#include <errno.h>

#include "tests/unit/s3_call.h"

#define LIST_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
#define LIST_BODY                                                                                  \
    "<ListBucketResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>"            \
    "<NextContinuationToken>t/2</NextContinuationToken>"                                           \
    "<Contents><Key>p%20/a</Key><Size>3</Size></Contents>"                                         \
    "<CommonPrefixes><Prefix>p%20/b/</Prefix></CommonPrefixes></ListBucketResult>"

static void test_list(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
         "<ListBucketResult><Contents><Key>p%20/a</Key><Size>3</Size></Contents>",
         FAKE_CLOSE}, /* cut off: nothing of it may show, or it would show twice */
        {LIST_HEAD LIST_BODY, FAKE_CLOSE},
    };
    struct call c;
    call_init(&c, S3_LIST);
    c.s3.prefix = "p /";
    c.s3.token = "t+1=";
    struct fake_server *s = CALL_SCRIPT(&c, steps);
    assert_int_equal(c.s3.result.error, 0);
    assert_int_equal(c.s3.result.attempts, 2);
    assert_string_equal(c.entries, "p /a:3;p /b/*:0;");
    assert_string_equal(c.token, "t/2");
    assert_non_null(strstr(
        s->requests[0], "GET /bucket?continuation-token=t%2B1%3D&delimiter=%2F&encoding-type=url&"
                        "list-type=2&max-keys=100&prefix=p%20%2F HTTP/1.1\r\n"));
    fake_free(s);
}

/* It would go round for ever. */
static void test_a_list_that_leads_to_itself(void **state)
{
    static const struct fake_step steps[] = {{LIST_HEAD LIST_BODY, FAKE_CLOSE}};
    struct call c;
    (void)state;
    call_init(&c, S3_LIST);
    c.s3.prefix = "p /";
    c.s3.token = "t/2";
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_int_equal(c.s3.result.attempts, 3);
    assert_string_equal(c.entries, "");
    assert_string_equal(c.token, "(none)");
}

static void test_list_begins_behind_a_name(void **state)
{
    static const struct fake_step steps[] = {{LIST_HEAD LIST_BODY, FAKE_CLOSE}};
    struct call c;
    (void)state;
    call_init(&c, S3_LIST);
    c.s3.prefix = "p /";
    c.s3.start_after = "p /a&b";
    struct fake_server *s = CALL_SCRIPT(&c, steps);
    assert_int_equal(c.s3.result.error, 0);
    assert_non_null(
        strstr(s->requests[0], "&prefix=p%20%2F&start-after=p%20%2Fa%26b HTTP/1.1\r\n"));
    fake_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_a_list_that_leads_to_itself),
        cmocka_unit_test(test_list_begins_behind_a_name),
    };
    return cmocka_run_group_tests_name("s3_list", tests, NULL, NULL);
}
