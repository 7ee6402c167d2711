/* policy/want. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/want.h"

static struct want_facts at(int64_t now_ms)
{
    return (struct want_facts){.now_ms = now_ms,
                               .index_usable = true,
                               .news_ms = 300,
                               .index_ready = true,
                               .knows_readers = true};
}

static struct want begun(bool is_demanded)
{
    struct want w = {.is_demanded = is_demanded, .wait_ms = WANT_WAIT_MOST_MS};
    want_start(&w, 0);
    want_begin(&w, 0);
    return w;
}

static void test_a_known_holder_is_asked(void **state)
{
    struct want w = begun(true);
    struct want_facts f = at(0);
    (void)state;
    f.has_peer = true;
    assert_int_equal(want_next(&w, &f), WANT_PEER);
}

static void test_without_an_index_nobody_waits(void **state)
{
    struct want w = begun(false);
    struct want_facts f = at(0);
    (void)state;
    f.index_usable = false;
    assert_int_equal(want_next(&w, &f), WANT_ORIGIN);
}

static void test_what_a_job_waits_for_is_claimed_at_once(void **state)
{
    struct want w = begun(true);
    struct want_facts f = at(0);
    (void)state;
    f.rank = 5;
    assert_false(want_needs_rank(&w));
    assert_int_equal(want_next(&w, &f), WANT_CLAIM);
}

static void test_read_ahead_is_left_to_those_before(void **state)
{
    struct want w = begun(false);
    struct want_facts f = at(0);
    (void)state;
    f.knows_readers = false;
    assert_true(want_needs_rank(&w));
    assert_int_equal(want_next(&w, &f), WANT_READERS);
    f.knows_readers = true;
    f.rank = 1;
    assert_int_equal(want_next(&w, &f), WANT_LOOK);
    assert_true(w.due_ms > 0);
    assert_int_equal(want_next(&w, &f), WANT_LATER);
    f.now_ms = w.patient_until_ms;
    assert_int_equal(want_next(&w, &f), WANT_CLAIM);

    struct want first = begun(false); /* nobody before it */
    f = at(0);
    assert_int_equal(want_next(&first, &f), WANT_CLAIM);
}

static void test_a_hurry_ends_patience(void **state)
{
    struct want w = begun(false);
    struct want_facts f = at(0);
    (void)state;
    f.rank = 3;
    assert_int_equal(want_next(&w, &f), WANT_LOOK);
    want_hurry(&w, 3);
    f.now_ms = 3;
    assert_int_equal(want_next(&w, &f), WANT_CLAIM);
}

/* Somebody else has the lock and never comes to an end. */
static void test_waiting_is_bounded(void **state)
{
    struct want w = begun(true);
    int claims = 0, looks = 0;
    int64_t now = 0;
    (void)state;
    for (;;) {
        struct want_facts f = at(now);
        enum want_step step = want_next(&w, &f);
        if (step == WANT_ORIGIN)
            break;
        claims += step == WANT_CLAIM;
        looks += step == WANT_LOOK;
        assert_true(step == WANT_CLAIM || step == WANT_LOOK);
        assert_true(w.due_ms > now);
        now = w.due_ms < w.until_ms ? w.due_ms : w.until_ms;
    }
    assert_int_equal(now, WANT_WAIT_MOST_MS);
    assert_in_range(claims, 10, 60);
    assert_in_range(looks, 2 * claims, 4 * claims);
}

/* Nobody waits for what is read ahead, so it waits for whoever fetches it; a job that comes to wait
 * does so no longer than any. */
static void test_what_is_read_ahead_waits_longer(void **state)
{
    struct want w = begun(false);
    (void)state;
    assert_false(want_is_over(&w, 2 * WANT_WAIT_MOST_MS));
    assert_true(want_is_over(&w, WANT_AHEAD_TIMES * WANT_WAIT_MOST_MS));
    want_hurry(&w, 10000);
    want_hurry(&w, 11000);
    assert_false(want_is_over(&w, 9999 + WANT_WAIT_MOST_MS));
    assert_true(want_is_over(&w, 10000 + WANT_WAIT_MOST_MS));
    w = begun(false);
    want_hurry(&w, WANT_AHEAD_TIMES * WANT_WAIT_MOST_MS - 1);
    assert_true(want_is_over(&w, WANT_AHEAD_TIMES * WANT_WAIT_MOST_MS));
}

static void test_claims(void **state)
{
    (void)state;
    assert_int_equal(want_claimed(true, false, false), WANT_YOURS);
    assert_int_equal(want_claimed(true, false, true), WANT_LATER);
    assert_int_equal(want_claimed(true, true, false), WANT_PEER);
    assert_int_equal(want_claimed(false, true, false), WANT_PEER);
    assert_int_equal(want_claimed(false, false, false), WANT_LATER);
}

/* Somebody has it and is busy: it isn't fetched from the origin before the time is over. */
static void test_a_busy_holder_is_waited_for(void **state)
{
    struct want w = begun(true);
    int64_t now = 0;
    (void)state;
    for (;;) {
        struct want_facts f = at(now);
        f.has_peer_soon = true;
        enum want_step step = want_next(&w, &f);
        if (step == WANT_ORIGIN)
            break;
        assert_int_equal(step, WANT_LOOK);
        assert_true(w.due_ms > now);
        now = w.due_ms < w.until_ms ? w.due_ms : w.until_ms;
    }
    assert_int_equal(now, WANT_WAIT_MOST_MS);
}

/* Holders that take turns in being busy: there is always one that may be asked. */
static void test_busy_holders_in_turns_are_not_asked_for_ever(void **state)
{
    struct want w = begun(true);
    (void)state;
    for (int64_t now = 0; now < WANT_WAIT_MOST_MS; now += 50) {
        struct want_facts f = at(now);
        f.has_peer = true;
        want_begin(&w, now);
        assert_false(want_is_over(&w, now));
        assert_int_equal(want_next(&w, &f), WANT_PEER);
    }
    struct want_facts f = at(WANT_WAIT_MOST_MS);
    f.has_peer = true;
    want_begin(&w, f.now_ms);
    assert_true(want_is_over(&w, f.now_ms));
    assert_int_equal(want_next(&w, &f), WANT_ORIGIN);
}

/* Another zone has it: one node of this zone takes it from there, the others wait for that one. */
static void test_a_block_comes_into_a_zone_once(void **state)
{
    struct want first = begun(true), second = begun(true);
    struct want_facts f = at(0);
    (void)state;
    f.has_far_peer = true;
    assert_int_equal(want_next(&first, &f), WANT_CROSS);
    assert_int_equal(want_crossed(&first, true, false), WANT_PEER);
    assert_true(first.crosses);
    assert_int_equal(want_next(&second, &f), WANT_CROSS);
    assert_int_equal(want_crossed(&second, false, false), WANT_LATER);
    assert_false(second.crosses);
    f.now_ms = second.due_ms;
    assert_int_equal(want_next(&second, &f), WANT_LOOK);
    assert_int_equal(want_crossed(&second, true, true), WANT_PEER); /* came meanwhile: no need */
    assert_false(second.crosses);
    f.now_ms = WANT_WAIT_MOST_MS;
    assert_int_equal(want_next(&second, &f), WANT_ORIGIN);
}

/* While others are waited for, those that may have it are asked; each wrong guess makes the next
 * one wait longer. */
static void test_guesses_while_the_index_says_nothing(void **state)
{
    struct want w = begun(true);
    int guesses = 0, asks = 0;
    (void)state;
    for (int64_t now = 0; now < 1000; now++) {
        struct want_facts f = at(now);
        f.has_guess = true;
        enum want_step step = want_next(&w, &f);
        guesses += step == WANT_GUESS;
        asks += step == WANT_CLAIM || step == WANT_LOOK;
        if (now == 0)
            assert_int_equal(step, WANT_CLAIM); /* the index first */
        if (step == WANT_GUESS)
            want_missed(&w, now);
    }
    assert_in_range(guesses, 15, 25);
    assert_in_range(asks, 15, 40);
    assert_int_equal(w.guesses, guesses);
}

/* Few nodes: who holds it is known sooner than a guess comes back. */
static void test_where_news_are_quick_nobody_guesses(void **state)
{
    struct want w = begun(true);
    (void)state;
    for (int64_t now = 0; now < 1000; now++) {
        struct want_facts f = at(now);
        f.news_ms = want_look_gap_ms(8);
        f.has_guess = true;
        assert_int_not_equal(want_next(&w, &f), WANT_GUESS);
    }
    assert_int_equal(want_guess_at_ms(&w, want_look_gap_ms(8)), INT64_MAX);
    assert_true(want_guess_at_ms(&w, want_look_gap_ms(200)) < INT64_MAX);
}

static void test_a_guess_needs_no_batch(void **state)
{
    struct want w = begun(false);
    struct want_facts f = at(0);
    (void)state;
    f.rank = 2;
    assert_int_equal(want_next(&w, &f), WANT_LOOK); /* patient, another node's turn */
    f.index_ready = false;
    f.now_ms = w.patient_until_ms;
    assert_int_equal(want_next(&w, &f), WANT_LATER);
    f.now_ms = want_guess_at_ms(&w, 300) + 40;
    f.has_guess = true;
    assert_int_equal(want_next(&w, &f), WANT_GUESS);
}

/* How long a want of this rank waits for others without an index, when all guesses are wrong. */
static int64_t waits_without_index_ms(size_t rank, int *guesses)
{
    struct want w = begun(true);
    *guesses = 0;
    for (int64_t now = 0;; now++) {
        struct want_facts f = at(now);
        f.index_usable = false;
        f.news_ms = WANT_NO_NEWS;
        f.rank = rank;
        f.has_guess = rank > 0;
        enum want_step step = want_next(&w, &f);
        if (step == WANT_ORIGIN)
            return now;
        assert_true(step == WANT_GUESS || step == WANT_LATER);
        *guesses += step == WANT_GUESS;
        if (step == WANT_GUESS)
            want_missed(&w, now);
    }
}

static void test_without_an_index_turns_are_told_by_time(void **state)
{
    int guesses;
    (void)state;
    assert_int_equal(waits_without_index_ms(0, &guesses), 0);
    assert_int_equal(guesses, 0);
    int64_t second = waits_without_index_ms(1, &guesses);
    assert_in_range(second, 50, 200);
    assert_in_range(guesses, 2, 8);
    assert_int_equal(waits_without_index_ms(3, &guesses), waits_without_index_ms(2, &guesses));
    assert_true(waits_without_index_ms(2, &guesses) > second);
    assert_in_range(waits_without_index_ms(4096, &guesses), second, 2000);
}

static void test_of_unknown_readers_few_are_asked(void **state)
{
    struct want w = begun(true);
    struct want_facts f = at(0);
    (void)state;
    f.index_usable = f.knows_readers = false;
    f.news_ms = WANT_NO_NEWS;
    f.has_guess = true;
    for (int i = 0; i < WANT_BLIND_GUESSES; i++) {
        f.now_ms = want_guess_at_ms(&w, WANT_NO_NEWS);
        assert_int_equal(want_next(&w, &f), WANT_GUESS);
        want_missed(&w, f.now_ms);
    }
    assert_int_equal(want_next(&w, &f), WANT_ORIGIN);
    assert_true(f.now_ms < 50);
}

static void test_many_nodes_ask_seldom(void **state)
{
    (void)state;
    assert_int_equal(want_batch_gap_ms(0), 0);
    assert_true(want_batch_gap_ms(4) <= 1); /* a small cluster doesn't notice */
    assert_true(want_batch_gap_ms(400) > want_batch_gap_ms(200));
    assert_true(want_look_gap_ms(400) > want_batch_gap_ms(400));
    for (uint32_t random = 0; random < 1000; random++)
        assert_in_range(want_busy_ms(random * 0x01000193u), 10, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_holder_is_asked),
        cmocka_unit_test(test_without_an_index_nobody_waits),
        cmocka_unit_test(test_what_a_job_waits_for_is_claimed_at_once),
        cmocka_unit_test(test_read_ahead_is_left_to_those_before),
        cmocka_unit_test(test_a_hurry_ends_patience),
        cmocka_unit_test(test_what_is_read_ahead_waits_longer),
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_a_busy_holder_is_waited_for),
        cmocka_unit_test(test_busy_holders_in_turns_are_not_asked_for_ever),
        cmocka_unit_test(test_a_block_comes_into_a_zone_once),
        cmocka_unit_test(test_guesses_while_the_index_says_nothing),
        cmocka_unit_test(test_where_news_are_quick_nobody_guesses),
        cmocka_unit_test(test_a_guess_needs_no_batch),
        cmocka_unit_test(test_without_an_index_turns_are_told_by_time),
        cmocka_unit_test(test_of_unknown_readers_few_are_asked),
        cmocka_unit_test(test_many_nodes_ask_seldom),
    };
    return cmocka_run_group_tests_name("want", tests, NULL, NULL);
}
