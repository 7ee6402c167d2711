/* Answers that are almost what was asked for: none may pass for it, and what is right in them is
 * not thrown away. */
#include <errno.h>

#include "tests/unit/s3_call.h"

static void test_a_whole_object_counts_only_where_it_fits(void **unused)
{
    (void)unused;
    static const struct fake_step small[] = {
        {"HTTP/1.1 200 OK\r\nETag: " ETAG "\r\nContent-Length: 4\r\n\r\nabcd", FAKE_KEEP}};
    static const struct fake_step large[] = {
        {"HTTP/1.1 200 OK\r\nETag: " ETAG "\r\nContent-Length: 11\r\n\r\n0123456789a", FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    fake_free(CALL_SCRIPT(&c, small));
    assert_int_equal(c.s3.result.error, 0);
    assert_string_equal(c.body, "abcd");
    assert_int_equal(c.s3.meta.size_bytes, 4);

    call_init(&c, S3_GET); /* larger than asked for: Range was ignored */
    fake_free(CALL_SCRIPT(&c, large));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_non_null(strstr(c.s3.result.why, "does not honour Range"));
    assert_string_equal(c.body, "");

    call_init(&c, S3_GET); /* not from the beginning */
    c.s3.offset = 2;
    fake_free(CALL_SCRIPT(&c, small));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_string_equal(c.body, "");

    static const struct fake_step begun[] = {
        {"HTTP/1.1 200 OK\r\nETag: " ETAG "\r\nContent-Length: 12\r\n\r\n0123456789", FAKE_CLOSE}};
    call_init(&c, S3_GET); /* as far as it comes it would fit */
    c.s3.offset = 2;
    fake_free(CALL_SCRIPT(&c, begun));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_string_equal(c.body, "");

    static const struct fake_step endless[] = {
        {"HTTP/1.1 200 OK\r\nETag: " ETAG "\r\n\r\nabcd", FAKE_CLOSE}};
    call_init(&c, S3_GET); /* without its length nobody knows whether it was cut off */
    fake_free(CALL_SCRIPT(&c, endless));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_string_equal(c.body, "");
}

/* Every one of these carries ten bytes that must not reach the caller. */
static void test_answers_that_lie(void **unused)
{
    (void)unused;
#define LIE(headers)                                                                               \
    {                                                                                              \
        {                                                                                          \
            "HTTP/1.1 206 Partial\r\n" headers "\r\n\r\nEVIL-BYTES", FAKE_CLOSE                    \
        }                                                                                          \
    }
    static const struct fake_step rows[][1] = {
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 0-9/100"),  /* starts too soon */
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 4-14/100"), /* by one */
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-13/100"), /* ends too soon */
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-15/100"), /* too late */
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-14/*"),   /* how large? */
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-14/10"),  /* beyond the end */
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 14-5/100"),
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-2/3"), /* ends before it starts */
        LIE("ETag: " ETAG "\r\nContent-Range: lines 5-14/100"),
        LIE("ETag: " ETAG "\r\nContent-Range: bytes -5-14/100"),
        LIE("ETag: " ETAG "\r\nContent-Range: bytes +5-14/100"),
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-14/99999999999999999999999"),
        LIE("ETag: " ETAG "\r\nContent-Range: bytes 5-14/100\r\nContent-Length: 9"),
        LIE("ETag: " ETAG),
        LIE("Content-Range: bytes 5-14/100"),
        LIE("ETag: W/\"e1\"\r\nContent-Range: bytes 5-14/100"),
        LIE("ETag: \"\"\r\nContent-Range: bytes 5-14/100"),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call c;
        call_init(&c, S3_GET);
        c.s3.offset = 5;
        fake_free(CALL_SCRIPT(&c, rows[i]));
        if (c.s3.result.error != -EIO || c.body[0] || c.s3.result.attempts != 3)
            fail_msg("row %zu: %d after %u: %s; body %s", i, c.s3.result.error,
                     c.s3.result.attempts, c.s3.result.why, c.body);
    }
}

static void test_more_than_was_announced(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 206 Partial\r\nETag: " ETAG "\r\nContent-Range: bytes 0-9/100\r\n"
         "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
         FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_true(strlen(c.body) <= 10);
}

/* Its own end is well-formed; only Content-Range tells that bytes are missing. */
#define SHORT_206(range, size, bytes)                                                              \
    {                                                                                              \
        "HTTP/1.1 206 Partial\r\nETag: " ETAG "\r\nContent-Range: bytes " range                    \
        "\r\nTransfer-Encoding: chunked\r\n\r\n" size "\r\n" bytes "\r\n0\r\n\r\n",                \
            FAKE_KEEP                                                                              \
    }

static void test_less_than_was_announced(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {SHORT_206("0-9/100", "4", "0123"),
                                             {OK_206("4-9/100", "6") "456789", FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    struct fake_server *s = CALL_SCRIPT(&c, steps);
    assert_int_equal(c.s3.result.error, 0);
    assert_string_equal(c.body, "0123456789");
    assert_non_null(strstr(s->requests[1], "Range: bytes=4-9\r\n"));
    fake_free(s);
}

/* A wrong answer is asked for twice more; one that brought something begins the count anew. */
static void test_progress_is_patient(void **unused)
{
    (void)unused;
    static const struct fake_step lie = {NO_BODY("206 Partial"), FAKE_CLOSE};
    const struct fake_step steps[] = {lie,
                                      lie,
                                      SHORT_206("0-9/100", "4", "0123"),
                                      lie,
                                      {OK_206("4-9/100", "6") "456789", FAKE_KEEP}};
    struct call c;
    call_init(&c, S3_GET);
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, 0);
    assert_int_equal(c.s3.result.attempts, 5);
    assert_string_equal(c.body, "0123456789");
}

/* "Nothing at that offset" is an answer to the first request, not to one for the rest. */
static void test_an_end_that_comes_nearer(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        SHORT_206("0-9/100", "4", "0123"),
        {ERROR_DOCUMENT("416 No", "InvalidRange"), FAKE_CLOSE},
    };
    struct call c;
    call_init(&c, S3_GET);
    fake_free(CALL_SCRIPT(&c, steps));
    assert_int_equal(c.s3.result.error, -EIO);
    assert_int_equal(c.s3.result.http_status, 416);
}

/* Success of a kind that S3 has no use for carries nothing. */
static void test_other_kinds_of_success(void **unused)
{
    (void)unused;
    static const char *const statuses[] = {"201 Created", "203 Changed", "204 Nothing", "226 Used"};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "HTTP/1.1 %s\r\nETag: " ETAG "\r\nContent-Length: 10\r\n\r\nEVIL-BYTES",
                 statuses[i]);
        const struct fake_step steps[] = {{text, FAKE_CLOSE}};
        struct call c;
        call_init(&c, S3_GET);
        fake_free(CALL_SCRIPT(&c, steps));
        assert_int_equal(c.s3.result.error, -EIO);
        assert_string_equal(c.body, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_object_counts_only_where_it_fits),
        cmocka_unit_test(test_answers_that_lie),
        cmocka_unit_test(test_more_than_was_announced),
        cmocka_unit_test(test_less_than_was_announced),
        cmocka_unit_test(test_progress_is_patient),
        cmocka_unit_test(test_an_end_that_comes_nearer),
        cmocka_unit_test(test_other_kinds_of_success),
    };
    return cmocka_run_group_tests_name("s3_lies", tests, NULL, NULL);
}
