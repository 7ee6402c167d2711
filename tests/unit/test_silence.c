/* policy/silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/silence.h"

static const struct silence nothing;

static void test_of_strangers_much_is_borne(void **state)
{
    struct silence quick = {0};
    (void)state;
    assert_int_equal(silence_first_most_ms(&nothing, &nothing), SILENCE_FIRST_MOST_MS);
    assert_int_equal(silence_most_ms(&nothing, &nothing), SILENCE_MOST_MS);
    silence_ended(&quick, 0, 0);
    assert_true(silence_first_most_ms(&nothing, &quick) < SILENCE_FIRST_MOST_MS);
    assert_true(silence_most_ms(&nothing, &quick) < SILENCE_MOST_MS);
}

/* Many times what it takes, but never so little that a lost packet is a death. */
static void test_quick_nodes_may_be_silent_for_short(void **state)
{
    struct silence s = {0};
    (void)state;
    for (int i = 0; i < 20; i++)
        silence_ended(&s, 2, 3);
    assert_in_range(silence_first_most_ms(&s, &nothing), 900, 1100);
    assert_in_range(silence_most_ms(&s, &nothing), 1100, 1300);
}

/* One long gap among many short ones: a slow link, not a dead node; it is forgotten in time. */
static void test_the_longest_of_late_counts(void **state)
{
    struct silence s = {0};
    (void)state;
    silence_ended(&s, 2, 220);
    for (int i = 0; i < 2; i++)
        silence_ended(&s, 2, 3);
    assert_true(silence_most_ms(&s, &nothing) > 1300);
    for (int i = 0; i < 40; i++)
        silence_ended(&s, 2, 3);
    assert_true(silence_most_ms(&s, &nothing) < 1300);
    silence_ended(&s, 5000, 5000);
    assert_int_equal(silence_first_most_ms(&s, &nothing), SILENCE_FIRST_MOST_MS);
    assert_int_equal(silence_most_ms(&s, &nothing), SILENCE_MOST_MS);
}

/* A false alarm is not repeated for ever; several at one moment count once. */
static void test_who_was_given_up_gets_more_time(void **state)
{
    struct silence s = {0};
    (void)state;
    silence_ended(&s, 1, 1);
    int64_t first = silence_first_most_ms(&s, &nothing), gap = silence_most_ms(&s, &nothing);
    for (int i = 0; i < 10; i++) {
        silence_lasted_first(&s, first);
        silence_lasted(&s, gap);
    }
    assert_in_range(silence_first_most_ms(&s, &nothing), first + 1, 2 * first);
    assert_in_range(silence_most_ms(&s, &nothing), gap + 1, 2 * gap);
    for (int i = 0; i < 20; i++)
        silence_lasted(&s, silence_most_ms(&s, &nothing));
    assert_int_equal(silence_most_ms(&s, &nothing), SILENCE_MOST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_strangers_much_is_borne),
        cmocka_unit_test(test_quick_nodes_may_be_silent_for_short),
        cmocka_unit_test(test_the_longest_of_late_counts),
        cmocka_unit_test(test_who_was_given_up_gets_more_time),
    };
    return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
