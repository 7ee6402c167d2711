/* How long a request waits between its attempts, and when it doesn't. */
#include "tests/unit/s3_session.h"

#include <errno.h>

#include "common/clock.h"
#include "fetch/s3_lore.h"

/* Sleeps included: what the call took. */
static int64_t timed(struct call *c, const struct fake_step *steps, size_t n)
{
    int64_t before_ms = clock_monotonic_ms();
    fake_free(call_script(c, steps, n));
    return clock_monotonic_ms() - before_ms;
}

/* In seconds, as a date, and as a date of a server whose clock is an hour off. Dates are full
 * seconds, so each is made just before it is told: two seconds on are one at least. */
static void in_seconds(char *reply, size_t size)
{
    snprintf(reply, size, "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
}

static void as_a_date(char *reply, size_t size)
{
    char soon[64];
    http_date(soon, sizeof(soon), 2);
    snprintf(reply, size, "HTTP/1.1 429 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
             soon);
}

static void by_another_clock(char *reply, size_t size)
{
    char there[64], soon[64];
    http_date(there, sizeof(there), 3600);
    http_date(soon, sizeof(soon), 3602);
    snprintf(reply, size,
             "HTTP/1.1 503 Busy\r\nDate: %s\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", there,
             soon);
}

static void test_as_long_as_the_server_says(void **unused)
{
    (void)unused;
    static void (*const says[])(char *, size_t) = {in_seconds, as_a_date, by_another_clock};
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        char reply[256];
        says[i](reply, sizeof(reply));
        const struct fake_step steps[] = {{reply, FAKE_KEEP}, {GOOD, FAKE_KEEP}};
        struct call c;
        call_init(&c, S3_GET);
        int64_t took_ms = timed(&c, steps, 2);
        if (c.s3.result.error || c.s3.result.attempts != 2 || took_ms < 990 || took_ms > 6000)
            fail_msg("row %zu: %d, %u attempts, %d ms", i, c.s3.result.error, c.s3.result.attempts,
                     (int)took_ms);
    }
}

/* Without that, anything from nothing to the bound, 200 ms at first. That eight draws make less
 * than 100 ms together is as likely as one in ten million. */
static void test_waits_are_drawn(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{NO_BODY("500 Oops"), FAKE_KEEP}, {GOOD, FAKE_KEEP}};
    int64_t all_ms = 0;
    for (int i = 0; i < 8; i++) {
        struct call c;
        call_init(&c, S3_GET);
        int64_t took_ms = timed(&c, steps, 2);
        assert_int_equal(c.s3.result.error, 0);
        all_ms += took_ms;
    }
    assert_in_range(all_ms, 100, 8 * 1000);
}

/* S3's own word counts, whatever the status: a bucket that is asked too much is asked again. */
static void test_slow_down_by_any_status(void **unused)
{
    (void)unused;
    static const char *const replies[] = {ERROR_DOCUMENT("503 Busy", "SlowDown"),
                                          ERROR_DOCUMENT("400 Busy", "SlowDown"),
                                          ERROR_DOCUMENT("503 Busy", "ServiceUnavailable"),
                                          ERROR_DOCUMENT("400 No", "RequestTimeout")};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        const struct fake_step steps[] = {{replies[i], FAKE_CLOSE}, {GOOD, FAKE_KEEP}};
        struct call c;
        call_init(&c, S3_GET);
        timed(&c, steps, 2);
        assert_int_equal(c.s3.result.error, 0);
        assert_int_equal(c.s3.result.attempts, 2);
    }
}

/* ---- the pace of a prefix ---- */

/* A server, an engine and a context; and what is remembered of that endpoint. */
/* Borrowed from its context. */
static struct s3_lore *lore_of(const struct session *s)
{
    struct s3_lore *lore = s3_lore_get(s3_context_endpoint(s->context));
    s3_lore_unref(lore);
    return lore;
}

static void test_refusals_set_a_pace(void **unused)
{
    (void)unused;
    static const char *const replies[] = {ERROR_DOCUMENT("503 Busy", "SlowDown"),
                                          NO_BODY("503 Busy"), NO_BODY("429 Busy")};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        const struct fake_step steps[] = {{replies[i], FAKE_CLOSE}};
        struct session s;
        struct call calls[4];
        begin(&s, steps, 1);
        for (int n = 0; n < 4; n++) { /* within one second */
            call_init(&calls[n], S3_GET);
            calls[n].s3.key = "hot/key";
            calls[n].s3.deadline_ms = 40;
            call_run(&calls[n], s.engine, s.context);
            assert_int_equal(calls[n].s3.result.error, -EIO);
        }
        int64_t now_ms = clock_monotonic_ms(), delay_ms = 0;
        for (int n = 0; n < 3; n++)
            delay_ms = s3_lore_delay_ms(lore_of(&s), "bucket", "hot/other", now_ms);
        assert_true(delay_ms > 0);
        assert_int_equal(s3_lore_delay_ms(lore_of(&s), "bucket", "cold/other", now_ms), 0);
        fake_free(end(&s));
    }
}

static void test_the_pace_is_kept(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{GOOD, FAKE_KEEP}};
    static const int64_t deadlines_ms[] = {10000, 1000};
    struct session s;
    begin(&s, steps, 1);
    for (int i = 0; i < 2; i++) { /* a queue of two seconds; nobody waits half a life in it */
        int64_t now_ms = clock_monotonic_ms();
        for (int n = 0; n < 20; n++)
            s3_lore_delay_ms(lore_of(&s), "bucket", "hot/key", now_ms);
        for (int n = 0; n < 20; n++)
            s3_lore_rate(lore_of(&s), "bucket", "hot/key", true, now_ms);
        for (int n = 0; n < 400; n++)
            s3_lore_delay_ms(lore_of(&s), "bucket", "hot/key", now_ms);
        struct call c;
        call_init(&c, S3_GET);
        c.s3.key = "hot/key";
        c.s3.deadline_ms = deadlines_ms[i];
        call_run(&c, s.engine, s.context);
        assert_int_equal(c.s3.result.error, 0);
        int64_t took_ms = clock_monotonic_ms() - now_ms;
        assert_in_range(took_ms, i == 0 ? 1000 : 400, i == 0 ? 9000 : 900);
    }
    fake_free(end(&s));
}

/* ---- silence ---- */

/* One whose endpoint refuses connections. */
static void begin_dead(struct session *s)
{
    char authority[32];
    snprintf(authority, sizeof(authority), "127.0.0.1:%d", fake_dead_port());
    s->engine = http_engine_new(1);
    s->context = context_for(authority, true);
}

static void end_dead(struct session *s)
{
    http_engine_free(s->engine);
    s3_context_unref(s->context);
}

static enum s3_lore_answer may_ask(struct session *s, int64_t in_ms)
{
    char why[384];
    return s3_lore_may_ask(lore_of(s), clock_monotonic_ms() + in_ms, why, sizeof(why));
}

/* Is it back? One attempt finds out. */
static void test_a_probe_is_one_attempt(void **unused)
{
    (void)unused;
    struct session s;
    struct call c;
    begin_dead(&s);
    s3_lore_silent(lore_of(&s), clock_monotonic_ms() - 5000, "nothing");
    call_init(&c, S3_GET);
    call_run(&c, s.engine, s.context);
    assert_int_equal(c.s3.result.error, -EIO);
    assert_int_equal(c.s3.result.attempts, 1);
    assert_int_equal(may_ask(&s, 0), S3_LORE_REFUSE);
    end_dead(&s);
}

/* One request meets silence while others are answered: the endpoint is not left alone for that. */
static void test_others_were_answered(void **unused)
{
    (void)unused;
    struct session s;
    struct call c;
    begin_dead(&s);
    call_init(&c, S3_GET);
    c.s3.deadline_ms = 700;
    c.s3.context = s.context;
    assert_int_equal(s3_submit(s.engine, &c.s3), 0);
    usleep(50000);
    s3_lore_heard(lore_of(&s), clock_monotonic_ms());
    sem_wait(&c.done);
    assert_int_equal(c.s3.result.error, -EIO);
    assert_int_equal(may_ask(&s, 0), S3_LORE_ASK);
    end_dead(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_long_as_the_server_says),
        cmocka_unit_test(test_waits_are_drawn),
        cmocka_unit_test(test_slow_down_by_any_status),
        cmocka_unit_test(test_refusals_set_a_pace),
        cmocka_unit_test(test_the_pace_is_kept),
        cmocka_unit_test(test_a_probe_is_one_attempt),
        cmocka_unit_test(test_others_were_answered),
    };
    return cmocka_run_group_tests_name("s3_patience", tests, NULL, NULL);
}
