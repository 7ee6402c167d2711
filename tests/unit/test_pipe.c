/* policy/pipe, replayed on traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/pipe.h"

#define STEP_MS 10

/* So many milliseconds at a rate, told every STEP_MS. Returns the time at the end. */
static int64_t carry(struct pipe *p, int64_t now_ms, int64_t ms, uint64_t bytes_per_ms)
{
    for (int64_t end_ms = now_ms + ms; now_ms < end_ms;) {
        now_ms += STEP_MS;
        pipe_carried(p, bytes_per_ms * STEP_MS, now_ms);
    }
    return now_ms;
}

static void test_unmeasured(void **state)
{
    struct pipe p = {0};
    (void)state;
    assert_int_equal(pipe_window_bytes(&p), PIPE_WINDOW_FIRST);
    pipe_begin(&p, 1000);
    pipe_answered(&p, 20);
    pipe_carried(&p, 1 << 20, 1050); /* too short to tell */
    assert_int_equal(pipe_window_bytes(&p), PIPE_WINDOW_FIRST);
}

struct way {
    const char *name;
    uint64_t bytes_per_ms;
    int64_t first_byte_ms;
    uint64_t window_bytes;
};

static const struct way ways[] = {
    {"a slow line", 10 << 10, 20, PIPE_WINDOW_LEAST},
    {"2 Gb/s, near", 250000, 20, 62500000},
    {"2 Gb/s, far", 250000, 100, 100000000},
    {"100 Gb/s", 12500000, 10, PIPE_WINDOW_MOST},
};

static void test_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const struct way *w = &ways[i];
        struct pipe p = {0};
        pipe_begin(&p, 5000);
        pipe_answered(&p, w->first_byte_ms);
        carry(&p, 5000, 2000, w->bytes_per_ms);
        if (pipe_window_bytes(&p) != w->window_bytes)
            fail_msg("%s: %llu", w->name, (unsigned long long)pipe_window_bytes(&p));
    }
}

/* The way was idle: that says nothing of what it carries. */
static void test_idle_does_not_count(void **state)
{
    struct pipe p = {0};
    (void)state;
    pipe_begin(&p, 0);
    pipe_answered(&p, 10);
    carry(&p, 0, 1000, 400000);
    uint64_t before = pipe_window_bytes(&p);
    pipe_begin(&p, 600000);
    carry(&p, 600000, 1000, 400000);
    assert_int_equal(pipe_window_bytes(&p), before);
}

/* A window that its latency makes the limit grows until it isn't. */
static void test_window_escapes_its_latency(void **state)
{
    const int64_t latency_ms = 400;
    const double most_bytes_per_ms = 500000;
    struct pipe p = {0};
    uint64_t window = PIPE_WINDOW_LEAST / 8;
    int64_t now_ms = 0;
    (void)state;
    pipe_answered(&p, latency_ms);
    for (int i = 0; i < 6; i++) {
        double rate = (double)window / (double)latency_ms;
        if (rate > most_bytes_per_ms)
            rate = most_bytes_per_ms;
        pipe_begin(&p, now_ms);
        now_ms = carry(&p, now_ms, 2000, (uint64_t)rate);
        window = pipe_window_bytes(&p);
    }
    assert_true((double)window >= most_bytes_per_ms * (double)latency_ms);
}

/* What was measured on a bad day is forgotten. */
static void test_recovers(void **state)
{
    struct pipe p = {0};
    (void)state;
    pipe_begin(&p, 0);
    pipe_answered(&p, 10);
    int64_t now_ms = carry(&p, 0, 1000, 1000);
    assert_int_equal(pipe_window_bytes(&p), PIPE_WINDOW_LEAST);
    carry(&p, now_ms, 1500, 600000);
    assert_true(pipe_window_bytes(&p) > 140000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unmeasured),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_idle_does_not_count),
        cmocka_unit_test(test_window_escapes_its_latency),
        cmocka_unit_test(test_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
