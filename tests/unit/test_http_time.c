/* Every wait has an end, and what is to come later comes later. */
#include "tests/unit/http_call.h"

#include <errno.h>

#include "fetch/http_transfer.h"

static void short_first_byte(struct call *c)
{
    c->http.first_byte_timeout_ms = 200;
}

static void short_stall(struct call *c)
{
    c->http.stall_timeout_ms = 200;
}

static void short_both(struct call *c)
{
    short_first_byte(c);
    short_stall(c);
}

static void short_total(struct call *c)
{
    c->http.total_timeout_ms = 200;
}

static void test_every_silence_ends(void **unused)
{
    (void)unused;
    static const struct {
        struct fake_step step;
        void (*change)(struct call *c);
        const char *words;
    } rows[] = {
        {{NULL, FAKE_STALL}, short_first_byte, "did not answer within 0.2 s"},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe", FAKE_STALL}, short_stall, "went quiet"},
        {{"HTTP/1.1 200 OK\r\nContent", FAKE_STALL}, short_both, "0.2 s"},
        {{NULL, FAKE_STALL}, short_total, "within 0.2 s"},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe", FAKE_STALL},
         short_total,
         "complete its"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t before_ms = clock_monotonic_ms();
        struct call *c = call_once(&rows[i].step, rows[i].change);
        int64_t took_ms = clock_monotonic_ms() - before_ms;
        assert_int_equal(c->http.error, -ETIMEDOUT);
        if (!strstr(c->http.why, rows[i].words))
            fail_msg("row %zu: %s", i, c->http.why);
        assert_in_range(took_ms, 150, 4000);
        free(c);
    }
}

/* ---- before the first byte is sent ---- */

/* Nobody takes the connection: a listener whose queue is full lets every further one wait. */
static void test_connecting_ends(void **unused)
{
    (void)unused;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[8];
    char base[64];
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 0), 0);
    getsockname(listener, (struct sockaddr *)&address, &len);
    for (size_t i = 0; i < 8; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fill[i], (struct sockaddr *)&address, sizeof(address));
    }
    snprintf(base, sizeof(base), "http://127.0.0.1:%d", ntohs(address.sin_port));
    struct http_engine *e = http_engine_new(1);
    struct call *c = call_new(base, "/");
    c->http.connect_timeout_ms = 300;
    int64_t before_ms = clock_monotonic_ms();
    run(e, c);
    assert_int_equal(c->http.error, -EHOSTUNREACH);
    assert_non_null(strstr(c->http.why, "cannot connect to 127.0.0.1:"));
    assert_in_range(clock_monotonic_ms() - before_ms, 250, 4000);
    free(c);
    http_engine_free(e);
    for (size_t i = 0; i < 8; i++)
        close(fill[i]);
    close(listener);
}

/* Connected, but what answers there does not speak TLS, or anything. */
static void test_a_handshake_ends(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{NULL, FAKE_STALL}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    char base[64];
    snprintf(base, sizeof(base), "https://127.0.0.1:%d", s->port);
    struct call *c = call_new(base, "/");
    c->http.connect_timeout_ms = 300;
    int64_t before_ms = clock_monotonic_ms();
    run(e, c);
    assert_int_equal(c->http.error, -EHOSTUNREACH);
    assert_in_range(clock_monotonic_ms() - before_ms, 250, 4000);
    free(c);
    http_engine_free(e);
    fake_stop(s);
    fake_free(s);
}

/* One more than a thread sends at once: its time passes while it waits for its turn. */
static void test_waiting_for_a_turn_ends(void **unused)
{
    (void)unused;
    enum { N = HTTP_ACTIVE_PER_THREAD };
    static const struct fake_step steps[] = {{NULL, FAKE_STALL}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    static struct call *calls[N];
    for (int i = 0; i < N; i++) {
        calls[i] = call_new(s->url, "/");
        assert_int_equal(http_submit(e, &calls[i]->http), 0);
    }
    struct call *last = call_new(s->url, "/");
    last->http.total_timeout_ms = 300;
    int64_t before_ms = clock_monotonic_ms();
    run(e, last);
    assert_int_equal(last->http.error, -ETIMEDOUT);
    assert_in_range(clock_monotonic_ms() - before_ms, 250, 4000);
    free(last);
    http_engine_free(e);
    for (int i = 0; i < N; i++)
        free(calls[i]);
    fake_stop(s);
    fake_free(s);
}

/* Who asks for no limit gets one: before the first byte, and after it. */
static void test_there_is_always_a_limit(void **unused)
{
    (void)unused;
    enum { minute_ms = 60000, hour_ms = 3600000 };
    const char *what;
    int64_t timeout_ms;
    struct http_request r = {.method = "GET"};
    struct http_transfer t = {.request = &r, .due_ms = 1000, .started_ms = 1000};
    assert_in_range(http_transfer_limit_ms(&t, 1000, &what, &timeout_ms), 1001, 1000 + minute_ms);
    t.last_heard_ms = 2000;
    assert_in_range(http_transfer_limit_ms(&t, 2000, &what, &timeout_ms), 2001, 2000 + minute_ms);
    t.last_heard_ms = 2 * hour_ms; /* it drips, for ever */
    assert_in_range(http_transfer_limit_ms(&t, 2 * hour_ms, &what, &timeout_ms), 1001, hour_ms);
}

/* Other requests hear of the server: it is alive, and this one waits in its queue; not for ever. */
static void test_who_answers_others_is_not_silent(void **unused)
{
    (void)unused;
    const char *what;
    int64_t timeout_ms;
    atomic_int_fast64_t heard_ms = 0;
    struct http_request r = {
        .method = "GET", .stall_timeout_ms = 100, .server_heard_ms = &heard_ms};
    struct http_transfer t = {
        .request = &r, .due_ms = 1000, .started_ms = 1000, .last_heard_ms = 1000};
    static const struct {
        int64_t heard_ms, limit_ms;
    } rows[] = {{0, 1100}, {900, 1100}, {1000, 1100}, {1050, 1150}, {1290, 1390}, {5000, 1400}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        atomic_store(&heard_ms, rows[i].heard_ms);
        assert_int_equal(http_transfer_limit_ms(&t, 1000, &what, &timeout_ms), rows[i].limit_ms);
        assert_int_equal(timeout_ms, 100);
    }
}

/* --- signs of life --- */

static int told;

static void on_quiet(struct http_request *r)
{
    (void)r;
    told++;
}

/* The silence is told of at half of its time, once; who is heard of then has time anew. */
static void test_a_silence_is_told(void **unused)
{
    (void)unused;
    const char *what;
    int64_t timeout_ms;
    atomic_int_fast64_t heard_ms = 0;
    struct http_request r = {
        .method = "GET", .stall_timeout_ms = 100, .server_heard_ms = &heard_ms, .quiet = on_quiet};
    struct http_transfer t = {
        .request = &r, .due_ms = 1000, .started_ms = 1000, .last_heard_ms = 1000};
    static const struct {
        int64_t now_ms, heard_ms, limit_ms;
        int told;
    } rows[] = {{1000, 0, 1050, 0},    {1050, 0, 1100, 1},    {1060, 0, 1100, 1},
                {1070, 1070, 1120, 1}, {1120, 1070, 1170, 2}, {1380, 1370, 1400, 2},
                {1390, 1385, 1400, 2}};
    told = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        atomic_store(&heard_ms, rows[i].heard_ms);
        assert_int_equal(http_transfer_limit_ms(&t, rows[i].now_ms, &what, &timeout_ms),
                         rows[i].limit_ms);
        assert_int_equal(told, rows[i].told);
    }
}

/* This thread had to wait itself: the silence is told of late, and still half of its time is left.
 * All in all there is no more time than there was. */
static void test_a_silence_that_is_told_late(void **unused)
{
    (void)unused;
    const char *what;
    int64_t timeout_ms;
    struct http_request r = {.method = "GET", .stall_timeout_ms = 100, .quiet = on_quiet};
    struct http_transfer t = {
        .request = &r, .due_ms = 1000, .started_ms = 1000, .last_heard_ms = 1000};
    told = 0;
    assert_int_equal(http_transfer_limit_ms(&t, 1200, &what, &timeout_ms), 1250);
    assert_int_equal(http_transfer_limit_ms(&t, 1250, &what, &timeout_ms), 1250);
    assert_int_equal(told, 1);
    r.total_timeout_ms = 240;
    assert_int_equal(http_transfer_limit_ms(&t, 1210, &what, &timeout_ms), 1240);
}

/* A server that answers nobody takes a connection all the same, and one that isn't there doesn't.
 */
static void test_connecting_is_all(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{NULL, FAKE_STALL}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    char dead[64];
    snprintf(dead, sizeof(dead), "http://127.0.0.1:%d", fake_dead_port());
    for (int i = 0; i < 3; i++) {
        struct call *c = call_new(s->url, "/");
        c->http.connect_only = true;
        run(e, c);
        assert_int_equal(c->http.error, 0);
        assert_int_equal(c->http.status, 0);
        free(c);
    }
    struct call *c = call_new(dead, "/");
    c->http.connect_only = true;
    run(e, c);
    assert_int_equal(c->http.error, -ECONNREFUSED);
    free(c);
    http_engine_free(e);
    fake_stop(s);
    assert_int_equal(s->n_requests, 0);
    fake_free(s);
}

static void test_delay(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP}};
    struct fake_server *s = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    struct call *late = call_new(s->url, "/late");
    struct call *later = call_new(s->url, "/later");
    struct call *now = call_new(s->url, "/now");
    int64_t before_ms = clock_monotonic_ms();

    later->http.delay_ms = 300;
    late->http.delay_ms = 150;
    late->http.total_timeout_ms = 5000;
    assert_int_equal(http_submit(e, &later->http), 0);
    assert_int_equal(http_submit(e, &late->http), 0);
    run(e, now);
    sem_wait(&late->done);
    assert_true(clock_monotonic_ms() - before_ms >= 150);
    sem_wait(&later->done);
    assert_true(clock_monotonic_ms() - before_ms >= 300);
    assert_int_equal(later->http.error, 0);
    http_engine_free(e);
    fake_stop(s);
    assert_non_null(strstr(s->requests[0], "/now"));
    assert_non_null(strstr(s->requests[1], "/late "));
    assert_non_null(strstr(s->requests[2], "/later"));
    fake_free(s);
    free(now);
    free(late);
    free(later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_silence_ends),
        cmocka_unit_test(test_connecting_ends),
        cmocka_unit_test(test_a_handshake_ends),
        cmocka_unit_test(test_waiting_for_a_turn_ends),
        cmocka_unit_test(test_there_is_always_a_limit),
        cmocka_unit_test(test_who_answers_others_is_not_silent),
        cmocka_unit_test(test_a_silence_is_told),
        cmocka_unit_test(test_a_silence_that_is_told_late),
        cmocka_unit_test(test_connecting_is_all),
        cmocka_unit_test(test_delay),
    };
    return cmocka_run_group_tests_name("http_time", tests, NULL, NULL);
}
