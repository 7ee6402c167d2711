/* policy/hedge on made-up traces: when a second request is sent, and how many at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/hedge.h"

static void hear(struct hedge *h, int n, int64_t us)
{
    while (n-- > 0)
        hedge_heard(h, us);
}

static void test_knows_nothing(void **state)
{
    (void)state;
    struct hedge h = {0};
    assert_int_equal(hedge_after_ms(&h, 0), 0);
    hear(&h, 20, 10000);
    assert_int_equal(hedge_after_ms(&h, 0), 0);
}

static void test_waits_for_the_slow_ones(void **state)
{
    (void)state;
    static const struct {
        int64_t usual_us, slow_us;
        int n_usual, n_slow;
        int64_t least_ms, most_ms;
    } rows[] = {
        {40000, 900000, 98, 2, 40, 52},     /* the tail is beyond the quantile */
        {40000, 900000, 90, 10, 900, 1200}, /* what a tenth does is no tail */
        {300, 300, 100, 0, 25, 25},         /* never sooner than that */
        {0, 0, 100, 0, 25, 25},
        {90000000, 90000000, 100, 0, 50000, 90000}, /* beyond the histogram */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hedge h = {0};
        for (int k = 0; k < 5; k++) {
            hear(&h, rows[i].n_usual, rows[i].usual_us);
            hear(&h, rows[i].n_slow, rows[i].slow_us);
        }
        assert_in_range(hedge_after_ms(&h, 0), rows[i].least_ms, rows[i].most_ms);
    }
}

static void test_forgets(void **state)
{
    (void)state;
    struct hedge h = {0};
    hear(&h, 100000, 50000);
    assert_in_range(hedge_after_ms(&h, 0), 50, 65);
    hear(&h, 10000, 400000); /* the network has become slower for good */
    assert_in_range(hedge_after_ms(&h, 0), 400, 520);
}

static void test_budget(void **state)
{
    (void)state;
    struct hedge h = {0};
    int sent = 0;
    hear(&h, 100, 5000);
    for (int i = 0; i < 10000; i++)
        if (hedge_after_ms(&h, 0) > 0 && hedge_take(&h, 0)) /* everything is slow now */
            sent++;
    assert_in_range(sent, 400, (int)(10000 * HEDGE_SHARE + HEDGE_BURST));
    struct hedge idle = {0};
    for (int i = 0; i < 10000; i++)
        hedge_after_ms(&idle, 0);
    for (sent = 0; hedge_take(&idle, 0); sent++)
        ;
    assert_int_equal(sent, (int)HEDGE_BURST);
}

static void test_not_when_throttled(void **state)
{
    (void)state;
    struct hedge h = {0};
    hear(&h, 100, 5000);
    for (int i = 0; i < 1000; i++)
        hedge_after_ms(&h, 1000);
    hedge_throttled(&h, 1000);
    assert_int_equal(hedge_after_ms(&h, 1000), 0);
    assert_false(hedge_take(&h, 20000));
    assert_true(hedge_after_ms(&h, 40000) > 0);
    assert_true(hedge_take(&h, 40000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knows_nothing),
        cmocka_unit_test(test_waits_for_the_slow_ones),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_not_when_throttled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
