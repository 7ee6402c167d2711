#include "tests/unit/http_call.h"

#include <errno.h>

#include "fetch/http_addresses.h"
#include "tests/unit/own_sockets.h"

static void test_one_connection_for_many_requests(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nServer: fake\r\nContent-Length: 5\r\n\r\nhello", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);

    for (int i = 0; i < 20; i++) {
        struct call *c = call_new(s->url, "/a/../b//c?x=%20");
        const char *headers[] = {"X-Mine: yes", NULL};
        c->http.headers = headers;
        run(e, c);
        assert_int_equal(c->http.error, 0);
        assert_int_equal(c->http.status, 200);
        assert_string_equal(c->body, "hello");
        assert_string_equal(c->server, "fake");
        free(c);
    }
    http_engine_free(e);
    fake_stop(s);
    assert_int_equal(s->n_connections, 1);
    assert_int_equal(s->n_requests, 20);
    assert_non_null(strstr(s->requests[0], "GET /a/../b//c?x=%20 HTTP/1.1\r\n"));
    assert_non_null(strstr(s->requests[0], "X-Mine: yes\r\n"));
    fake_free(s);
}

static void test_no_program_gets_a_connection(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    struct call *c = call_new(s->url, "/");
    run(e, c);
    assert_int_equal(own_sockets(s->port, false), 1);
    assert_int_equal(own_sockets(s->port, true), 0);
    free(c);
    http_engine_free(e);
    fake_stop(s);
    fake_free(s);
}

static void test_head_has_no_body(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    for (int i = 0; i < 2; i++) {
        struct call *c = call_new(s->url, "/");
        c->http.method = "HEAD";
        run(e, c);
        assert_int_equal(c->http.error, 0);
        assert_int_equal(c->len, 0);
        free(c);
    }
    http_engine_free(e);
    fake_stop(s);
    assert_int_equal(s->n_connections, 1);
    fake_free(s);
}

static void test_many_at_once_from_several_threads(void **unused)
{
    (void)unused;
    enum { N = 300 };
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(3);
    static struct call *calls[N];

    for (int i = 0; i < N; i++) {
        calls[i] = call_new(s->url, "/");
        assert_int_equal(http_submit(e, &calls[i]->http), 0);
    }
    for (int i = 0; i < N; i++) {
        sem_wait(&calls[i]->done);
        assert_int_equal(calls[i]->http.error, 0);
        free(calls[i]);
    }
    http_engine_free(e);
    fake_stop(s);
    assert_int_equal(s->n_requests, N);
    fake_free(s);
}

static void refuse_head(struct call *c)
{
    c->refuse_head = true;
}

static void refuse_body(struct call *c)
{
    c->refuse_body = true;
}

static void test_a_callback_can_give_up(void **unused)
{
    (void)unused;
    static const struct fake_step step = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                                          FAKE_KEEP};
    struct call *c = call_once(&step, refuse_head);
    assert_int_equal(c->http.error, -ECANCELED);
    assert_int_equal(c->http.status, 200);
    assert_int_equal(c->len, 0);
    free(c);
    c = call_once(&step, refuse_body);
    assert_int_equal(c->http.error, -ECANCELED);
    free(c);
}

struct fault_row {
    struct fake_step step;
    int error;
    int status;
    const char *words;
};

static void test_faults_of_the_connection(void **unused)
{
    (void)unused;
    static const struct fault_row rows[] = {
        {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", FAKE_CLOSE},
         -ENODATA,
         200,
         "middle"},
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", FAKE_CLOSE},
         -ENODATA,
         200,
         "middle"},
        {{NULL, FAKE_CLOSE}, -ECONNRESET, 0, "without an answer"},
        {{"HTTP/1.1 200 OK\r\nContent-", FAKE_CLOSE},
         -ECONNRESET,
         0,
         "before its answer's headers were"},
        {{"+PONG\r\n+PONG\r\n", FAKE_CLOSE}, -EPROTO, 0, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call *c = call_once(&rows[i].step, NULL);
        assert_int_equal(c->http.error, rows[i].error);
        assert_int_equal(c->http.status, rows[i].status);
        if (!strstr(c->http.why, rows[i].words) || !strstr(c->http.why, "127.0.0.1:"))
            fail_msg("row %zu: %s", i, c->http.why);
        free(c);
    }
}

static void test_refused_and_unknown_hosts(void **unused)
{
    (void)unused;
    struct http_engine *e = http_engine_new(1);
    char base[64];
    snprintf(base, sizeof(base), "http://127.0.0.1:%d", fake_dead_port());

    struct call *c = call_new(base, "/");
    run(e, c);
    assert_int_equal(c->http.error, -ECONNREFUSED);
    assert_int_equal(c->http.status, 0);
    assert_non_null(strstr(c->http.why, "cannot connect to 127.0.0.1:"));
    assert_non_null(strstr(c->http.why, "Connection refused"));
    assert_string_equal(c->server, "(none)");
    free(c);

    c = call_new("ftp://127.0.0.1", "/");
    run(e, c);
    assert_int_equal(c->http.error, -EPROTO);
    free(c);
    http_engine_free(e);
}

/* Where a host is when its name gets lost is nothing that a proxy's address tells. */
static void test_a_proxys_address_is_not_the_hosts(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    setenv("http_proxy", s->url, 1);
    struct call *c = call_new("http://behind.test", "/");
    run(e, c);
    unsetenv("http_proxy");
    assert_int_equal(c->http.error, 0);
    assert_false(http_addresses_lost(c->url, 0));
    free(c);

    c = call_new(s->url, "/");
    run(e, c);
    assert_true(http_addresses_lost(c->url, 0));
    free(c);
    http_engine_free(e);
    fake_stop(s);
    fake_free(s);
}

/* What is under way, what waits and what is delayed: all are handed back, none is started anew. */
static void test_freeing_the_engine_ends_everything(void **unused)
{
    (void)unused;
    enum { N = HTTP_ACTIVE_PER_THREAD + 20 };
    static const struct fake_step steps[] = {{NULL, FAKE_STALL}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    static struct call *calls[N];

    for (int i = 0; i < N; i++) {
        calls[i] = call_new(s->url, "/");
        calls[i]->http.delay_ms = i % 8 == 0 ? 60000 : 0;
        assert_int_equal(http_submit(e, &calls[i]->http), 0);
    }
    usleep(50000);
    http_engine_free(e);
    for (int i = 0; i < N; i++) {
        assert_int_equal(sem_trywait(&calls[i]->done), 0);
        assert_int_equal(calls[i]->http.error, -ECANCELED);
        free(calls[i]);
    }
    fake_stop(s);
    fake_free(s);
}

static struct http_engine *resubmit_engine;

static void resubmit_until_the_end(struct http_request *r)
{
    struct call *c = r->user;
    c->len++; /* rounds */
    if (http_submit(resubmit_engine, r) != 0)
        sem_post(&c->done);
}

static void test_done_may_submit_again(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct call *calls[8];
    resubmit_engine = http_engine_new(3);

    for (int i = 0; i < 8; i++) {
        calls[i] = call_new(s->url, "/");
        calls[i]->http.done = resubmit_until_the_end;
        assert_int_equal(http_submit(resubmit_engine, &calls[i]->http), 0);
    }
    usleep(100000);
    http_engine_free(resubmit_engine);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(sem_trywait(&calls[i]->done), 0);
        assert_true(calls[i]->len >= 1);
        free(calls[i]);
    }
    fake_stop(s);
    fake_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection_for_many_requests),
        cmocka_unit_test(test_no_program_gets_a_connection),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_many_at_once_from_several_threads),
        cmocka_unit_test(test_a_callback_can_give_up),
        cmocka_unit_test(test_faults_of_the_connection),
        cmocka_unit_test(test_refused_and_unknown_hosts),
        cmocka_unit_test(test_a_proxys_address_is_not_the_hosts),
        cmocka_unit_test(test_freeing_the_engine_ends_everything),
        cmocka_unit_test(test_done_may_submit_again),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
