/* fetch/http_addresses: where names led to, for when they can't be resolved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/http_addresses.h"

#define NOW 1000

static void assert_instead(const char *url, const char *entry)
{
    char found[80];
    assert_true(http_addresses_instead(url, NOW, found, sizeof(found)));
    assert_string_equal(found, entry);
}

static void assert_nothing_instead(const char *url, int64_t now_ms)
{
    char found[80];
    assert_false(http_addresses_instead(url, now_ms, found, sizeof(found)));
}

/* One after the other, whatever else the URL says; and only for a while. */
static void test_a_lost_name(void **state)
{
    (void)state;
    http_addresses_learn("https://one.test/bucket/key", "10.0.0.1");
    http_addresses_learn("https://one.test/bucket/other?x", "2001:db8::1");
    assert_nothing_instead("https://one.test/", NOW);
    assert_false(http_addresses_lost("https://one.test:8443/", NOW));
    assert_true(http_addresses_lost("https://one.test", NOW));
    assert_instead("https://one.test/a", "::[2001:db8::1]:");
    assert_instead("https://one.test/b", "::10.0.0.1:");
    assert_instead("https://one.test/c", "::[2001:db8::1]:");
    assert_nothing_instead("https://other.test/", NOW);
    assert_nothing_instead("https://one.test/", NOW + HTTP_ADDRESSES_LOST_MS);
}

/* The latest are kept. */
static void test_many_addresses(void **state)
{
    (void)state;
    static const char *const came[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3",
                                       "10.0.0.1", "10.0.0.4", "10.0.0.5"};
    for (size_t i = 0; i < sizeof(came) / sizeof(came[0]); i++)
        http_addresses_learn("http://many.test/", came[i]);
    http_addresses_lost("http://many.test/", NOW);
    assert_instead("http://many.test/", "::10.0.0.5:");
    assert_instead("http://many.test/", "::10.0.0.4:");
    assert_instead("http://many.test/", "::10.0.0.1:");
    assert_instead("http://many.test/", "::10.0.0.3:");
    assert_instead("http://many.test/", "::10.0.0.5:");
}

/* Those that are used stay. */
static void test_many_hosts(void **state)
{
    char url[64];
    (void)state;
    http_addresses_learn("http://used.test/", "10.1.0.1");
    for (int i = 0; i < 3 * HTTP_ADDRESSES_HOSTS; i++) {
        snprintf(url, sizeof(url), "http://host%d.test/", i);
        http_addresses_learn(url, "10.1.0.2");
        http_addresses_learn("http://used.test/", "10.1.0.1");
    }
    assert_false(http_addresses_lost("http://host0.test/", NOW));
    assert_true(http_addresses_lost(url, NOW));
    assert_true(http_addresses_lost("http://used.test/", NOW));
}

static void test_what_is_no_host(void **state)
{
    char url[400] = "http://";
    (void)state;
    memset(url + 7, 'a', 300);
    static const char *const none[] = {"", "http://", "http:///path"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        http_addresses_learn(none[i], "10.2.0.1");
        assert_false(http_addresses_lost(none[i], NOW));
    }
    http_addresses_learn(url, "10.2.0.1");
    assert_false(http_addresses_lost(url, NOW));
    http_addresses_learn("http://empty.test/", "");
    assert_false(http_addresses_lost("http://empty.test/", NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_name),
        cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_many_hosts),
        cmocka_unit_test(test_what_is_no_host),
    };
    return cmocka_run_group_tests_name("http-addresses", tests, NULL, NULL);
}
