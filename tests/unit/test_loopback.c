/* common/loopback: what is served without secret and certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/loopback.h"

static void test_loopback(void **state)
{
    static const char *const here[] = {"127.0.0.1:9470", "127.0.0.1",   "127.9.9.9/blocks",
                                       "[::1]:80",       "localhost:1", "localhost",
                                       "[0:0::1]/",      "LOCALHOST"};
    static const char *const elsewhere[] = {
        "127.example.com:80",   "localhost.example.com:80", "127.0.0.1.5:80", "[::1", "[::]:80",
        "0.0.0.0:80",           "[::1].example.com",        "10.0.0.1",       "",     "*:80",
        "127-0-0-1.example.com"};
    (void)state;
    for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
        if (!loopback_is(here[i]))
            fail_msg("%s is taken for another machine", here[i]);
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
        if (loopback_is(elsewhere[i]))
            fail_msg("%s is taken for this machine", elsewhere[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loopback)};
    return cmocka_run_group_tests_name("loopback", tests, NULL, NULL);
}
