#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/retry.h"

static const uint32_t randoms[] = {0, 1, 12345, 1U << 31, UINT32_MAX};
#define N_RANDOMS (sizeof(randoms) / sizeof(randoms[0]))

static struct retry_decision decide(enum retry_cause cause, uint32_t attempts, uint32_t random)
{
    const struct retry_state state = {
        .attempts = attempts, .deadline_ms = INT64_MAX / 2, .random = random};
    return retry_decide(cause, &state);
}

static void test_never_past_the_deadline(void **unused)
{
    (void)unused;
    for (int cause = RETRY_NETWORK; cause <= RETRY_NEVER; cause++) {
        for (uint32_t attempts = 1; attempts < 40; attempts++) {
            for (int64_t elapsed_ms = 0; elapsed_ms <= 70000; elapsed_ms += 3500) {
                for (size_t i = 0; i < N_RANDOMS; i++) {
                    const struct retry_state state = {.attempts = attempts,
                                                      .elapsed_ms = elapsed_ms,
                                                      .deadline_ms = 60000,
                                                      .random = randoms[i]};
                    struct retry_decision d = retry_decide((enum retry_cause)cause, &state);
                    assert_true(!d.again || elapsed_ms + d.delay_ms < 57000);
                    assert_true(d.delay_ms >= 0);
                }
            }
        }
    }
}

static void test_delay_grows_up_to_a_cap(void **unused)
{
    (void)unused;
    const enum retry_cause causes[] = {RETRY_NETWORK, RETRY_SERVER, RETRY_THROTTLED,
                                       RETRY_SHORT_BODY};
    for (size_t c = 0; c < sizeof(causes) / sizeof(causes[0]); c++) {
        int64_t before_ms = 0;
        for (uint32_t attempts = 1; attempts < 100; attempts++) {
            struct retry_decision longest = decide(causes[c], attempts, UINT32_MAX);
            assert_true(longest.again);
            assert_true(longest.delay_ms >= before_ms);
            assert_true(longest.delay_ms <= 20000);
            assert_int_equal(decide(causes[c], attempts, 0).delay_ms, 0);
            before_ms = longest.delay_ms;
        }
        assert_int_equal(decide(causes[c], UINT32_MAX, UINT32_MAX).delay_ms, before_ms);
        int64_t first_ms = decide(causes[c], 1, UINT32_MAX).delay_ms;
        assert_int_equal(decide(causes[c], 3, UINT32_MAX).delay_ms, 4 * first_ms);
        assert_true(before_ms >= 8 * first_ms);
    }
}

static void test_unreachable_is_given_up_within_seconds(void **unused)
{
    (void)unused;
    int64_t longest_ms = 0;
    uint32_t attempts = 1;
    for (struct retry_decision d; (d = decide(RETRY_UNREACHABLE, attempts, UINT32_MAX)).again;
         attempts++)
        longest_ms += d.delay_ms;
    assert_in_range(attempts, 4, 8);
    assert_in_range(longest_ms, 1000, 8000);
}

static void test_a_wrong_answer_is_asked_for_twice_more(void **unused)
{
    (void)unused;
    assert_true(decide(RETRY_WRONG_ANSWER, 1, 7).again);
    assert_true(decide(RETRY_WRONG_ANSWER, 2, 7).again);
    assert_false(decide(RETRY_WRONG_ANSWER, 3, 7).again);
}

static void test_never_means_never(void **unused)
{
    (void)unused;
    for (uint32_t attempts = 1; attempts < 5; attempts++)
        assert_false(decide(RETRY_NEVER, attempts, 0).again);
    assert_false(decide((enum retry_cause)1000, 1, 0).again);
}

static void test_retry_after_is_a_lower_bound(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < N_RANDOMS; i++) {
        struct retry_state state = {
            .attempts = 1, .deadline_ms = 60000, .retry_after_ms = 7000, .random = randoms[i]};
        struct retry_decision d = retry_decide(RETRY_THROTTLED, &state);
        assert_true(d.again);
        assert_int_equal(d.delay_ms, 7000);
        state.elapsed_ms = 50001; /* the server says: not before it is too late */
        assert_false(retry_decide(RETRY_THROTTLED, &state).again);
        state.retry_after_ms = INT64_MAX;
        assert_false(retry_decide(RETRY_THROTTLED, &state).again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_past_the_deadline),
        cmocka_unit_test(test_delay_grows_up_to_a_cap),
        cmocka_unit_test(test_unreachable_is_given_up_within_seconds),
        cmocka_unit_test(test_a_wrong_answer_is_asked_for_twice_more),
        cmocka_unit_test(test_never_means_never),
        cmocka_unit_test(test_retry_after_is_a_lower_bound),
    };
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
