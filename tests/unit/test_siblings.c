/* policy/siblings, replayed on traces of opens; agent/directory, which keeps the names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/directory.h"
#include "policy/siblings.h"

#define NAMES 2000
#define SMALL (64u << 10)

/* A directory of `n` files of this size, and what became of a trace. */
struct trace {
    struct siblings s;
    uint8_t state[NAMES];
    uint32_t cost[NAMES];
    uint32_t asked, hits;
    uint32_t most_ahead;
};

static struct trace *trace_new(uint32_t n, uint32_t bytes)
{
    struct trace *t = calloc(1, sizeof(*t));
    for (uint32_t i = 0; i < n; i++)
        t->cost[i] = bytes;
    t->s.n = n;
    t->s.state = t->state;
    t->s.cost = t->cost;
    return t;
}

static uint32_t open_name(struct trace *t, uint32_t name)
{
    uint32_t picks[SIBLINGS_PICKS];
    t->hits += t->state[name] != SIBLING_UNKNOWN && t->state[name] != SIBLING_OPENED;
    uint32_t n = siblings_opened(&t->s, name, picks);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(picks[i] < t->s.n);
        assert_true(t->state[picks[i]] == SIBLING_AHEAD || t->state[picks[i]] == SIBLING_SWEPT);
    }
    t->asked += n;
    if (t->s.ahead > t->most_ahead)
        t->most_ahead = t->s.ahead;
    assert_true(t->s.ahead <= SIBLINGS_WINDOW);
    assert_true(t->s.swept <= SIBLINGS_SWEEP);
    return n;
}

static void test_in_order(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    (void)state;
    assert_int_equal(open_name(t, 0), 0);
    assert_int_equal(open_name(t, 1), SIBLINGS_FIRST);
    for (uint32_t i = 2; i < NAMES; i++)
        open_name(t, i);
    assert_int_equal(t->hits, NAMES - 2);
    assert_int_equal(t->asked, NAMES - 2); /* each once */
    assert_int_equal(t->most_ahead, SIBLINGS_WINDOW);
    assert_int_equal(t->s.unused, 0);
    free(t);
}

/* A request each time that one name was opened would cost everybody more. */
static void test_picked_together(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    uint32_t at = 0, picked = 0, times = 0;
    (void)state;
    while (t->s.ahead < SIBLINGS_WINDOW)
        open_name(t, at++);
    for (uint32_t end = at + 2 * SIBLINGS_WINDOW; at < end; at++) {
        uint32_t n = open_name(t, at);
        picked += n;
        times += n > 0;
        assert_true(t->s.ahead >= SIBLINGS_WINDOW / 2);
    }
    assert_true(picked > SIBLINGS_WINDOW && picked / times >= 8);
    free(t);
}

static void test_backwards_and_strided(void **state)
{
    static const int steps[] = {-1, 8, -3};
    (void)state;
    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        struct trace *t = trace_new(NAMES, SMALL);
        uint32_t opened = 0;
        for (int64_t at = steps[k] < 0 ? NAMES - 1 : 0; at >= 0 && at < NAMES; at += steps[k]) {
            open_name(t, (uint32_t)at);
            opened++;
        }
        assert_true(t->hits >= opened - 4);
        assert_int_equal(t->asked, t->hits); /* nothing between the steps */
        free(t);
    }
}

/* Batches of names go round among eight workers, each of which reads its own in order. */
static void test_workers_interleaved(void **state)
{
    static const uint32_t batches[] = {1, 4, 8, 16, 32, 64};
    (void)state;
    for (size_t k = 0; k < sizeof(batches) / sizeof(batches[0]); k++) {
        struct trace *t = trace_new(NAMES, SMALL);
        uint32_t opened = 0, batch = batches[k];
        for (uint32_t round = 0; round < NAMES / (8 * batch); round++)
            for (uint32_t i = 0; i < batch; i++)
                for (uint32_t worker = 0; worker < 8; worker++, opened++)
                    open_name(t, (round * 8 + worker) * batch + i);
        assert_true(t->hits > opened * 6 / 10);
        free(t);
    }
}

/* Few names out of many, without an order: next to nothing is fetched in vain. */
static void test_random_is_bounded(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    (void)state;
    srand(11);
    for (int i = 0; i < 300; i++)
        open_name(t, (uint32_t)rand() % NAMES);
    assert_true(t->asked <= SIBLINGS_WRONG + 300 / 2 + SIBLINGS_WINDOW);
    free(t);
}

/* Short runs that end again and again: the bound of the header holds. */
static void test_wrong_guesses_are_bounded(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    uint32_t opened = 0;
    (void)state;
    for (uint32_t at = 0; at + 40 < NAMES; at += 40)
        for (uint32_t i = 0; i < 2; i++, opened++)
            open_name(t, at + i);
    assert_true(t->asked - t->hits <= SIBLINGS_WRONG + opened / 2 + SIBLINGS_WINDOW);
    free(t);
}

static void shuffle(uint32_t *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        names[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t k = (uint32_t)rand() % (i + 1), other = names[k];
        names[k] = names[i];
        names[i] = other;
    }
}

static void test_shuffled_is_swept(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    uint32_t names[NAMES];
    (void)state;
    srand(5);
    shuffle(names, NAMES);
    for (uint32_t i = 0; i < NAMES; i++)
        open_name(t, names[i]);
    assert_true(t->hits > NAMES / 2);
    assert_true(t->asked <= NAMES);
    free(t);
}

static void test_sweep_needs_a_quarter(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    uint32_t names[NAMES];
    (void)state;
    srand(6);
    shuffle(names, NAMES);
    for (uint32_t i = 0; i < NAMES / 4 - 1; i++)
        open_name(t, names[i]);
    assert_int_equal(t->s.swept, 0);
    open_name(t, names[NAMES / 4 - 1]);
    open_name(t, names[NAMES / 4]);
    assert_true(t->s.swept > 0);
    free(t);
}

static void test_bytes_are_bounded(void **state)
{
    struct trace *t = trace_new(NAMES, 1u << 20);
    (void)state;
    for (uint32_t i = 0; i < NAMES; i++) {
        open_name(t, i);
        assert_true(t->s.ahead_bytes <= SIBLINGS_BYTES);
    }
    assert_int_equal(t->hits, NAMES - 2);
    free(t);
}

static void test_renewed(void **state)
{
    struct trace *t = trace_new(NAMES, SMALL);
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        open_name(t, i);
    uint32_t ahead = t->s.ahead;
    siblings_renew(&t->s);
    assert_int_equal(t->s.unused, ahead);
    assert_int_equal(t->s.ahead_bytes, 0);
    assert_true(open_name(t, 100) > 0); /* the run goes on */
    free(t);
}

/* --- agent/directory --------------------------------------------------------------------- */

static void add_numbered(struct directory *d, const char *format, uint32_t n, uint32_t step)
{
    char name[32];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof(name), format, i * step);
        directory_add(d, name, SMALL);
    }
}

static void test_names_are_found(void **state)
{
    struct directory d = {0};
    (void)state;
    add_numbered(&d, "%05u", 1000, 2);
    assert_int_equal(d.siblings.n, 1000);
    assert_int_equal(directory_find(&d, "00000"), 0);
    assert_int_equal(directory_find(&d, "01998"), 999);
    assert_int_equal(directory_find(&d, "00001"), -1);
    assert_int_equal(directory_find(&d, "1"), -1);
    directory_add(&d, "00500", SMALL); /* out of order */
    assert_int_equal(d.siblings.n, 1000);
    directory_order(&d);
    assert_null(d.place_of);
    directory_clear(&d);
}

/* img1, img10, img100 … in the listing; img1, img2, img3 … as the job opens them. */
static void test_natural_order(void **state)
{
    struct directory d = {0};
    char name[32];
    uint32_t hits = 0, picks[SIBLINGS_PICKS];
    (void)state;
    for (char first = '1'; first <= '9'; first++)
        for (int i = -1; i < 10; i++) {
            snprintf(name, sizeof(name), i < 0 ? "img%c" : "img%c%d", first, i);
            directory_add(&d, name, SMALL);
        }
    assert_int_equal(d.siblings.n, 99);
    directory_order(&d);
    assert_non_null(d.place_of);
    for (int i = 1; i < 100; i++) {
        snprintf(name, sizeof(name), "img%d", i);
        int64_t at = directory_find(&d, name);
        hits += d.state[at] == SIBLING_AHEAD;
        siblings_opened(&d.siblings, (uint32_t)at, picks);
    }
    assert_true(hits >= 94);
    directory_clear(&d);
}

/* A walk through more names than are kept goes on while they are learned page by page. */
static void test_long_directory(void **state)
{
    struct directory d = {0};
    char name[32];
    uint32_t added = 0, hits = 0, picks[SIBLINGS_PICKS];
    (void)state;
    for (uint32_t i = 0; i < 3 * DIRECTORY_NAMES_MAX; i++) {
        while (added <= i || siblings_near_end(&d.siblings)) {
            snprintf(name, sizeof(name), "%08u", added++);
            directory_add(&d, name, SMALL);
        }
        snprintf(name, sizeof(name), "%08u", i);
        int64_t at = directory_find(&d, name);
        assert_true(at >= 0);
        hits += d.state[at] == SIBLING_AHEAD;
        siblings_opened(&d.siblings, (uint32_t)at, picks);
        assert_true(d.siblings.n <= DIRECTORY_NAMES_MAX);
    }
    assert_true(hits >= 3 * DIRECTORY_NAMES_MAX - 8);
    directory_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_picked_together),
        cmocka_unit_test(test_backwards_and_strided),
        cmocka_unit_test(test_workers_interleaved),
        cmocka_unit_test(test_random_is_bounded),
        cmocka_unit_test(test_wrong_guesses_are_bounded),
        cmocka_unit_test(test_shuffled_is_swept),
        cmocka_unit_test(test_sweep_needs_a_quarter),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_renewed),
        cmocka_unit_test(test_names_are_found),
        cmocka_unit_test(test_natural_order),
        cmocka_unit_test(test_long_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
