/* policy/lag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/lag.h"

#define MIB (1u << 20)

static void test_page_cache_keeps_up(void **state)
{
    struct lag l = {0};
    (void)state;
    for (int i = 0; i < 10000; i++)
        lag_wrote(&l, MIB, i % 10 ? 300 : 2600); /* now and then memory has to be found */
    for (int i = 0; i < 10000; i++)
        lag_wrote(&l, 16384, 900);
    assert_false(l.is_behind);
}

static void test_a_pause_is_forgiven(void **state)
{
    struct lag l = {0};
    (void)state;
    for (int i = 0; i < 100; i++) {
        lag_wrote(&l, MIB, 400000);
        for (int j = 0; j < 30; j++)
            lag_wrote(&l, MIB, 300);
    }
    assert_false(l.is_behind);
}

static void test_a_slow_disk_is_found_out(void **state)
{
    struct lag l = {0};
    int n = 0;
    (void)state;
    for (; !l.is_behind; n++)
        lag_wrote(&l, MIB, 10000); /* 100 MB/s */
    assert_in_range(n, 10, 40);
    struct lag pauses = {0};
    lag_wrote(&pauses, MIB, 200000);
    lag_wrote(&pauses, MIB, 200000);
    assert_true(pauses.is_behind);
}

/* What was kept back is written, but as slowly as before: it is still the same disk. */
static void test_it_has_to_be_quick_again(void **state)
{
    struct lag l = {0};
    int n = 0;
    (void)state;
    for (int i = 0; i < 100; i++)
        lag_wrote(&l, MIB, 10000);
    lag_caught_up(&l);
    assert_true(l.is_behind);
    for (; l.is_behind; n++) {
        lag_wrote(&l, MIB, 300);
        lag_caught_up(&l);
    }
    assert_in_range(n, 10, 100);
    for (int i = 0; i < 1000; i++)
        lag_wrote(&l, MIB, 300); /* buys nothing for later */
    lag_wrote(&l, MIB, 200000);
    lag_wrote(&l, MIB, 200000);
    assert_true(l.is_behind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_cache_keeps_up),
        cmocka_unit_test(test_a_pause_is_forgiven),
        cmocka_unit_test(test_a_slow_disk_is_found_out),
        cmocka_unit_test(test_it_has_to_be_quick_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
