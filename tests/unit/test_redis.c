/* fetch/redis against servers that follow a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "fetch/redis.h"
#include "tests/unit/own_sockets.h"

#define SCRIPT_MAX 8

/* Accepts connections one after the other; on each, sends the n-th reply once it has received
 * `expect` more bytes holding the n-th text. A NULL reply: says nothing. */
struct server {
    int listener, port;
    pthread_t thread;
    struct {
        const char *wait_for, *reply;
        bool close;
    } steps[SCRIPT_MAX];
    char heard[8192];
    int connections;
};

static bool hear(struct server *s, int fd, char *seen, size_t size, const char *wait_for)
{
    size_t len = strlen(seen);
    while (!strstr(seen, wait_for)) {
        ssize_t n = recv(fd, seen + len, size - len - 1, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        seen[len] = '\0';
    }
    strncat(s->heard, seen, sizeof(s->heard) - strlen(s->heard) - 1);
    seen[0] = '\0';
    return true;
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int step = 0, fd;
    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        char seen[4096] = "";
        s->connections++;
        while (step < SCRIPT_MAX && s->steps[step].wait_for) {
            if (!hear(s, fd, seen, sizeof(seen), s->steps[step].wait_for))
                break;
            const char *reply = s->steps[step].reply;
            if (reply && send(fd, reply, strlen(reply), MSG_NOSIGNAL) < 0)
                break;
            if (s->steps[step++].close)
                break;
        }
        if (step < SCRIPT_MAX && !s->steps[step].wait_for)
            recv(fd, seen, sizeof(seen), 0); /* the script is over: until the other side ends */
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    getsockname(s->listener, (struct sockaddr *)&address, &len);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static struct redis *connect_to(const char *format, ...)
{
    struct redis_target t;
    char url[256], why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(url, sizeof(url), format, args);
    va_end(args);
    assert_int_equal(redis_url_parse(url, &t, why, sizeof(why)), 0);
    return redis_new(&t);
}

static struct redis_command get(const char *key)
{
    struct redis_command c = {.key_at = 1};
    redis_arg(&c, "GET", 3);
    redis_arg(&c, key, strlen(key));
    return c;
}

static void test_pipeline_with_login(void **state)
{
    struct server s = {.steps = {{.wait_for = "AUTH", .reply = "+OK\r\n"},
                                 {.wait_for = "SELECT", .reply = "+OK\r\n"},
                                 {.wait_for = "two", .reply = "$1\r\n1\r\n$-1\r\n"}}};
    (void)state;
    server_start(&s);
    struct redis *r = connect_to("redis://me:secret@127.0.0.1:%d/5", s.port);
    struct redis_command c[] = {get("one"), get("two")};
    assert_int_equal(redis_run(r, c, 2, 2000), 0);
    assert_int_equal(own_sockets(s.port, false), 1);
    assert_int_equal(own_sockets(s.port, true), 0); /* no program that is started gets it */
    assert_string_equal(c[0].reply->str, "1");
    assert_int_equal(c[1].reply->type, REDIS_REPLY_NIL);
    redis_free_replies(c, 2);
    redis_free(r);
    server_stop(&s);
    assert_non_null(strstr(s.heard, "$2\r\nme\r\n$6\r\nsecret\r\n"));
}

static void test_refused_login(void **state)
{
    struct server s = {.steps = {{.wait_for = "AUTH", .reply = "-WRONGPASS no\r\n"}}};
    (void)state;
    server_start(&s);
    struct redis *r = connect_to("redis://me:secret@127.0.0.1:%d", s.port);
    struct redis_command c = get("k");
    assert_int_equal(redis_run(r, &c, 1, 2000), -EACCES);
    assert_non_null(strstr(redis_why(r), "WRONGPASS"));
    assert_null(strstr(redis_why(r), "secret"));
    redis_free(r);
    server_stop(&s);
}

/* A server that hangs costs the deadline twice, then nothing until its breaker lets one through. */
static void test_silence_opens_the_breaker(void **state)
{
    struct server s = {.steps = {{.wait_for = "never comes"}}};
    (void)state;
    server_start(&s);
    struct redis *r = connect_to("redis://127.0.0.1:%d", s.port);
    struct redis_command c = get("k");
    assert_int_equal(redis_run(r, &c, 1, 30), -ETIMEDOUT);
    assert_int_equal(redis_run(r, &c, 1, 30), -ETIMEDOUT);
    for (int i = 0; i < 20; i++)
        assert_int_equal(redis_run(r, &c, 1, 30), -EAGAIN);
    redis_free(r);
    server_stop(&s);
    assert_int_equal(s.connections, 2);
}

static void test_reconnects(void **state)
{
    struct server s = {.steps = {{.wait_for = "one", .reply = "+1\r\n", .close = true},
                                 {.wait_for = "two", .reply = "+2\r\n"}}};
    (void)state;
    server_start(&s);
    struct redis *r = connect_to("redis://127.0.0.1:%d", s.port);
    struct redis_command c = get("one");
    assert_int_equal(redis_run(r, &c, 1, 2000), 0);
    redis_free_replies(&c, 1);
    c = get("two");
    int result = redis_run(r, &c, 1, 2000);
    if (result < 0) /* it noticed only now that the connection was closed */
        result = redis_run(r, &c, 1, 2000);
    assert_int_equal(result, 0);
    assert_string_equal(c.reply->str, "2");
    redis_free_replies(&c, 1);
    redis_free(r);
    server_stop(&s);
}

static void test_nonsense(void **state)
{
    struct server s = {.steps = {{.wait_for = "k", .reply = "HTTP/1.1 400 Bad Request\r\n\r\n"}}};
    (void)state;
    server_start(&s);
    struct redis *r = connect_to("redis://127.0.0.1:%d", s.port);
    struct redis_command c = get("k");
    assert_int_equal(redis_run(r, &c, 1, 2000), -EPROTO);
    assert_non_null(strstr(redis_why(r), "nonsense"));
    redis_free(r);
    server_stop(&s);
}

static void test_loading_is_no_answer(void **state)
{
    struct server s = {.steps = {{.wait_for = "k", .reply = "-LOADING Redis is loading\r\n"}}};
    (void)state;
    server_start(&s);
    struct redis *r = connect_to("redis://127.0.0.1:%d", s.port);
    struct redis_command c = get("k");
    assert_true(redis_run(r, &c, 1, 2000) < 0);
    assert_non_null(strstr(redis_why(r), "LOADING"));
    redis_free(r);
    server_stop(&s);
}

/* MOVED sends the command to the other server; then the map of slots says where all others go. */
static void test_moved(void **state)
{
    char moved[64], slots[128];
    struct server new = {.steps = {{.wait_for = "k", .reply = "+moved\r\n"},
                                   {.wait_for = "k", .reply = "+again\r\n"}}};
    (void)state;
    server_start(&new);
    snprintf(moved, sizeof(moved), "-MOVED 7629 127.0.0.1:%d\r\n", new.port);
    snprintf(slots, sizeof(slots), "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n",
             new.port);
    struct server old = {.steps = {{.wait_for = "k", .reply = moved},
                                   {.wait_for = "$5\r\nSLOTS\r\n", .reply = slots}}};
    server_start(&old);
    struct redis *r = connect_to("redis://127.0.0.1:%d", old.port);
    for (int i = 0; i < 2; i++) {
        struct redis_command c = get("k");
        int result = redis_run(r, &c, 1, 2000);
        assert_int_equal(result, 0);
        assert_string_equal(c.reply->str, i == 0 ? "moved" : "again");
        redis_free_replies(&c, 1);
    }
    redis_free(r);
    server_stop(&old);
    server_stop(&new);
}

static void test_ask(void **state)
{
    char ask[64];
    struct server new = {.steps = {{.wait_for = "\r\nk\r\n", .reply = "+OK\r\n+asked\r\n"}}};
    (void)state;
    server_start(&new);
    snprintf(ask, sizeof(ask), "-ASK 7629 127.0.0.1:%d\r\n", new.port);
    struct server old = {.steps = {{.wait_for = "k", .reply = ask}}};
    server_start(&old);
    struct redis *r = connect_to("redis://127.0.0.1:%d", old.port);
    struct redis_command c = get("k");
    assert_int_equal(redis_run(r, &c, 1, 2000), 0);
    assert_string_equal(c.reply->str, "asked");
    redis_free_replies(&c, 1);
    redis_free(r);
    server_stop(&old);
    server_stop(&new);
    assert_non_null(strstr(new.heard, "ASKING"));
}

static void test_two_that_send_on_and_on(void **state)
{
    char to_b[64];
    struct server a = {.steps = {{.wait_for = "never comes"}}};
    (void)state;
    server_start(&a);
    struct server b = {0};
    for (int i = 0; i < SCRIPT_MAX; i++)
        b.steps[i].wait_for = "k", b.steps[i].reply = to_b;
    server_start(&b);
    snprintf(to_b, sizeof(to_b), "-MOVED 7629 127.0.0.1:%d\r\n", b.port);
    struct redis *r = connect_to("redis://127.0.0.1:%d", b.port);
    struct redis_command c = get("k");
    assert_true(redis_run(r, &c, 1, 2000) < 0);
    redis_free(r);
    server_stop(&a);
    server_stop(&b);
}

static void test_sentinel(void **state)
{
    char reply[64], port[8];
    struct server master = {.steps = {{.wait_for = "k", .reply = "+yes\r\n"}}};
    (void)state;
    server_start(&master);
    snprintf(port, sizeof(port), "%d", master.port);
    snprintf(reply, sizeof(reply), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
    struct server sentinel = {.steps = {{.wait_for = "main", .reply = reply}}};
    server_start(&sentinel);
    struct redis *r = connect_to("redis+sentinel://127.0.0.1:%d/main", sentinel.port);
    struct redis_command c = get("k");
    assert_int_equal(redis_run(r, &c, 1, 2000), 0);
    assert_string_equal(c.reply->str, "yes");
    redis_free_replies(&c, 1);
    redis_free(r);
    server_stop(&sentinel);
    server_stop(&master);
}

/* One that wants a password gets the servers'; the others get none. */
static void test_sentinel_with_a_password(void **state)
{
    char reply[64], port[8];
    struct server master = {
        .steps = {{.wait_for = "pw", .reply = "+OK\r\n"}, {.wait_for = "k", .reply = "+yes\r\n"}}};
    (void)state;
    server_start(&master);
    snprintf(port, sizeof(port), "%d", master.port);
    snprintf(reply, sizeof(reply), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
    struct server sentinel = {
        .steps = {{.wait_for = "main", .reply = "-NOAUTH Authentication required.\r\n"},
                  {.wait_for = "pw", .reply = "+OK\r\n"},
                  {.wait_for = "main", .reply = reply}}};
    server_start(&sentinel);
    struct redis *r = connect_to("redis+sentinel://:pw@127.0.0.1:%d/main", sentinel.port);
    struct redis_command c = get("k");
    assert_int_equal(redis_run(r, &c, 1, 2000), 0);
    assert_string_equal(c.reply->str, "yes");
    redis_free_replies(&c, 1);
    redis_free(r);
    server_stop(&sentinel);
    server_stop(&master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline_with_login),
        cmocka_unit_test(test_refused_login),
        cmocka_unit_test(test_silence_opens_the_breaker),
        cmocka_unit_test(test_reconnects),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_loading_is_no_answer),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_two_that_send_on_and_on),
        cmocka_unit_test(test_sentinel),
        cmocka_unit_test(test_sentinel_with_a_password),
    };
    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
