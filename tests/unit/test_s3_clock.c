/* A clock that is off, as S3 tells it: mended by another try, or not the cause. */
#include "tests/unit/s3_session.h"

#include <errno.h>

/* The day and hour of a request's x-amz-date, as far as an offset of a day is concerned. */
static void test_a_clock_that_is_off(void **unused)
{
    (void)unused;
    char date[64], refusal[256];
    http_date(date, sizeof(date), 86400);
    static const enum s3_op ops[] = {S3_GET, S3_HEAD};
    for (size_t i = 0; i < 2; i++) {
        snprintf(refusal, sizeof(refusal),
                 "HTTP/1.1 403 No\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s", date,
                 ops[i] == S3_GET ? 49 : 0,
                 ops[i] == S3_GET ? "<Error><Code>RequestTimeTooSkewed</Code></Error> " : "");
        const struct fake_step steps[] = {{refusal, FAKE_KEEP}, {GOOD, FAKE_KEEP}};
        struct session s;
        struct call c;
        begin(&s, steps, 2);
        call_init(&c, ops[i]);
        call_run(&c, s.engine, s.context);
        get(&s, &c);
        assert_int_equal(c.s3.result.error, 0);
        assert_int_equal(c.s3.result.attempts, 1);
        struct fake_server *server = end(&s);
        assert_int_equal(server->n_requests, 3);
        char *first = strstr(server->requests[0], "x-amz-date: ");
        char *second = strstr(server->requests[1], "x-amz-date: ");
        char *third = strstr(server->requests[2], "x-amz-date: ");
        assert_memory_not_equal(first, second, strlen("x-amz-date: 20260101"));
        assert_memory_equal(second, third, strlen("x-amz-date: 20260101"));
        fake_free(server);
    }
}

static void assert_refused_once(const char *refusal, enum fake_then then)
{
    const struct fake_step steps[] = {{refusal, then}};
    struct session s;
    struct call c;
    begin(&s, steps, 1);
    get(&s, &c);
    assert_int_equal(c.s3.result.error, -EACCES);
    assert_int_equal(c.s3.result.attempts, 1);
    fake_free(end(&s));
}

/* A clock that is right stays so, and a refusal is what it is. */
static void test_a_refusal_under_a_right_clock(void **unused)
{
    (void)unused;
    char date[64], refusal[256];
    http_date(date, sizeof(date), 2);
    snprintf(refusal, sizeof(refusal), "HTTP/1.1 403 No\r\nDate: %s\r\nContent-Length: 0\r\n\r\n",
             date);
    assert_refused_once(refusal, FAKE_KEEP);
}

/* S3 has a reason of its own: its date is no more than a date. */
static void test_a_refusal_under_a_wrong_clock(void **unused)
{
    (void)unused;
    char date[64], refusal[256];
    http_date(date, sizeof(date), 86400);
    snprintf(refusal, sizeof(refusal),
             "HTTP/1.1 403 No\r\nDate: %s\r\nConnection: close\r\n\r\n<Error><Code>AccessDenied"
             "</Code></Error>",
             date);
    assert_refused_once(refusal, FAKE_CLOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_that_is_off),
        cmocka_unit_test(test_a_refusal_under_a_right_clock),
        cmocka_unit_test(test_a_refusal_under_a_wrong_clock),
    };
    return cmocka_run_group_tests_name("s3-clock", tests, NULL, NULL);
}
