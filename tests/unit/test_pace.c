/* policy/rate on traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/rate.h"

/* A server that takes `limit` requests a second and refuses the rest, and a client that would send
 * `wish` a second; what came of one second. */
struct second {
    int sent, refused;
};

static struct second one_second(struct rate *r, int64_t from_ms, int wish, int limit)
{
    struct second s = {0};
    for (int64_t ms = 0; ms < 1000; ms++) {
        int due = (int)((ms + 1) * wish / 1000) - (int)(ms * wish / 1000);
        for (; due > 0; due--) {
            if (rate_take(r, from_ms + ms) > 50) { /* its turn comes later: a reader waits */
                r->next_us -= (int64_t)(1e6 / r->per_s);
                break;
            }
            bool refused = ++s.sent > limit;
            s.refused += refused;
            rate_answer(r, refused, from_ms + ms);
        }
    }
    return s;
}

static void test_no_limit_until_refused(void **unused)
{
    (void)unused;
    struct rate r = {0};
    for (int64_t ms = 1; ms < 5000; ms++) {
        assert_int_equal(rate_take(&r, ms), 0);
        rate_answer(&r, false, ms);
    }
}

static void test_finds_what_the_server_takes(void **unused)
{
    (void)unused;
    struct rate r = {0};
    int64_t now_ms = 1000;
    struct second s = one_second(&r, now_ms, 2000, 500);
    assert_true(s.refused > 100);
    int refused = 0, sent = 0;
    for (int i = 1; i <= 60; i++) {
        s = one_second(&r, now_ms + 1000L * i, 2000, 500);
        if (i > 10) {
            refused += s.refused;
            sent += s.sent;
        }
    }
    assert_true(refused * 20 < sent); /* few are refused */
    assert_true(sent > 50 * 500 / 2); /* and much of what it takes is used */
}

/* Many at once, before the first second is over: what the server takes is used soon, and not only
 * when the limit is lifted. */
static void test_a_burst_is_no_measure(void **unused)
{
    (void)unused;
    struct rate r = {0};
    for (int i = 0; i < 40; i++)
        rate_take(&r, 1000);
    for (int i = 0; i < 40; i++)
        rate_answer(&r, i >= 30, 1020);
    assert_true(r.per_s > 0);
    int sent = 0;
    for (int i = 1; i <= 10; i++) {
        struct second s = one_second(&r, 1000 + 1000L * i, 2000, 150);
        sent += s.sent - s.refused;
    }
    assert_true(sent > 10 * 150 * 6 / 10);
}

static void refuse_twice(struct rate *r, int64_t now_ms)
{
    rate_take(r, now_ms);
    rate_take(r, now_ms);
    rate_answer(r, true, now_ms);
    rate_answer(r, true, now_ms);
}

static void test_lifted_after_a_while(void **unused)
{
    (void)unused;
    struct rate r = {0};
    refuse_twice(&r, 1000);
    assert_true(r.per_s > 0);
    rate_take(&r, 1001);
    assert_true(rate_take(&r, 1001) > 0);
    assert_int_equal(rate_take(&r, 40000), 0);
    assert_true(r.per_s <= 0);
}

/* What was cut grows back, quickly at first, so that a storm is paid for by seconds only. */
static void test_grows_back(void **unused)
{
    (void)unused;
    struct rate r = {0};
    struct second s = one_second(&r, 1000, 2000, 500);
    assert_true(s.refused > 100);
    double cut = r.per_s;
    assert_true(cut > 0);
    for (int i = 1; i <= 10; i++)
        one_second(&r, 1000 + 1000L * i, 2000, 100000);
    assert_true(r.per_s > 1.5 * cut);
}

static void test_now_and_then_is_no_reason(void **unused)
{
    (void)unused;
    struct rate r = {0};
    for (int i = 0; i < 10000; i++) { /* 1000 a second; one in fifty is refused */
        assert_int_equal(rate_take(&r, 1000 + i), 0);
        rate_answer(&r, i % 50 == 0, 1000 + i);
    }
}

/* However much is refused and however many wait: a pace, not a standstill. */
static void test_never_holds_up_for_long(void **unused)
{
    (void)unused;
    struct rate r = {0};
    int64_t now_ms = 1000;
    for (int i = 0; i < 100; i++, now_ms += 1500) {
        refuse_twice(&r, now_ms);
        assert_true(r.per_s >= 10);
    }
    for (int i = 0; i < 1000; i++)
        assert_true(rate_take(&r, now_ms) <= 2000);
    assert_true(rate_take(&r, now_ms + 2000) <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit_until_refused),
        cmocka_unit_test(test_finds_what_the_server_takes),
        cmocka_unit_test(test_a_burst_is_no_measure),
        cmocka_unit_test(test_grows_back),
        cmocka_unit_test(test_lifted_after_a_while),
        cmocka_unit_test(test_now_and_then_is_no_reason),
        cmocka_unit_test(test_never_holds_up_for_long),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
