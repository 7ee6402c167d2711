/* Asking who hands out credentials: every way to be kept waiting ends, and nothing is taken that is
 * too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "fetch/ask.h"
#include "tests/unit/fake_server.h"
#include "tests/unit/own_sockets.h"

#define DEAD_PROXY "http://127.0.0.1:1"

static struct ask question(const char *url)
{
    return (struct ask){.method = "GET",
                        .url = url,
                        .direct = true,
                        .connect_timeout_ms = 5000,
                        .timeout_ms = 5000};
}

/* What came of it, in how much time. */
struct outcome {
    bool answered;
    int64_t took_ms;
    struct ask_answer answer;
};

static struct outcome try(const struct ask *a)
{
    struct outcome o;
    int64_t before_ms = clock_monotonic_ms();
    o.answered = ask(a, &o.answer);
    o.took_ms = clock_monotonic_ms() - before_ms;
    return o;
}

static void test_an_answer(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:10 GMT\r\nContent-Length: 4\r\n\r\nkeys",
         FAKE_KEEP}};
    static const char *const headers[] = {"X-Mine: yes", NULL};
    struct fake_server *s = FAKE_START(steps);
    struct ask a = question(s->url);
    a.headers = headers;
    struct outcome o = try(&a);
    fake_stop(s);
    assert_true(o.answered);
    assert_int_equal(o.answer.status, 200);
    assert_string_equal(o.answer.body, "keys");
    assert_int_equal(o.answer.date_s, 10);
    assert_non_null(strstr(s->requests[0], "X-Mine: yes\r\n"));
    ask_answer_clear(&o.answer);
    fake_free(s);
}

static void test_silence_ends(void **unused)
{
    (void)unused;
    static const struct fake_step rows[] = {
        {NULL, FAKE_STALL}, {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", FAKE_STALL}};
    for (size_t i = 0; i < 2; i++) {
        struct fake_server *s = fake_start(&rows[i], 1);
        struct ask a = question(s->url);
        a.timeout_ms = 300;
        struct outcome o = try(&a);
        fake_stop(s);
        assert_false(o.answered);
        assert_true(*o.answer.why);
        assert_in_range(o.took_ms, 250, 3000);
        ask_answer_clear(&o.answer);
        fake_free(s);
    }
}

/* A handshake that never comes is part of connecting. */
static void test_connecting_ends(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{NULL, FAKE_STALL}};
    struct fake_server *s = FAKE_START(steps);
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", s->port);
    struct ask a = question(url);
    a.connect_timeout_ms = 300;
    struct outcome o = try(&a);
    fake_stop(s);
    assert_false(o.answered);
    assert_in_range(o.took_ms, 250, 3000);
    ask_answer_clear(&o.answer);
    fake_free(s);
}

struct end {
    atomic_bool stop;
    int port, connections, inherited;
};

static void *end_later(void *user)
{
    struct end *e = user;
    usleep(200000);
    e->connections = own_sockets(e->port, false);
    e->inherited = own_sockets(e->port, true);
    atomic_store(&e->stop, true);
    return NULL;
}

/* And no program that is started meanwhile gets the connection. */
static void test_the_agents_end_ends_it(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{NULL, FAKE_STALL}};
    struct fake_server *s = FAKE_START(steps);
    struct ask a = question(s->url);
    struct end end = {.port = s->port};
    a.stop = &end.stop;
    a.timeout_ms = 30000;
    pthread_t ender;
    assert_int_equal(pthread_create(&ender, NULL, end_later, &end), 0);
    struct outcome o = try(&a);
    pthread_join(ender, NULL);
    fake_stop(s);
    assert_int_equal(end.connections, 1);
    assert_int_equal(end.inherited, 0);
    assert_false(o.answered);
    assert_in_range(o.took_ms, 150, 5000);
    ask_answer_clear(&o.answer);
    fake_free(s);
}

static void test_too_much_is_no_answer(void **unused)
{
    (void)unused;
    static char reply[ASK_MAX_BYTES + 256];
    int len = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    memset(reply + len, 'x', ASK_MAX_BYTES + 1);
    const struct fake_step steps[] = {{reply, FAKE_CLOSE}};
    struct fake_server *s = FAKE_START(steps);
    struct ask a = question(s->url);
    struct outcome o = try(&a);
    fake_stop(s);
    assert_false(o.answered);
    ask_answer_clear(&o.answer);
    fake_free(s);
}

/* What hands out keys in clear on this machine is no business of a proxy's. */
static void test_direct_means_without_a_proxy(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    setenv("http_proxy", DEAD_PROXY, 1);
    for (int direct = 0; direct < 2; direct++) {
        struct ask a = question(s->url);
        a.direct = direct;
        struct outcome o = try(&a);
        assert_int_equal(o.answered, direct);
        ask_answer_clear(&o.answer);
    }
    unsetenv("http_proxy");
    fake_stop(s);
    fake_free(s);
}

/* The header may hold a token: it is carried to nobody else. */
static void test_redirects_are_not_followed(void **unused)
{
    (void)unused;
    static const struct fake_step there_steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP}};
    struct fake_server *there = FAKE_START(there_steps);
    char reply[160];
    snprintf(reply, sizeof(reply),
             "HTTP/1.1 302 There\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n", there->url);
    const struct fake_step steps[] = {{reply, FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct ask a = question(s->url);
    struct outcome o = try(&a);
    fake_stop(s);
    fake_stop(there);
    assert_true(o.answered);
    assert_int_equal(o.answer.status, 302);
    assert_int_equal(there->n_requests, 0);
    ask_answer_clear(&o.answer);
    fake_free(s);
    fake_free(there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer),
        cmocka_unit_test(test_silence_ends),
        cmocka_unit_test(test_connecting_ends),
        cmocka_unit_test(test_the_agents_end_ends_it),
        cmocka_unit_test(test_too_much_is_no_answer),
        cmocka_unit_test(test_direct_means_without_a_proxy),
        cmocka_unit_test(test_redirects_are_not_followed),
    };
    return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
