/* fetch/members: the nodes that there are, and those that are met and are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/members.h"

static void test_strangers(void **state)
{
    struct members all = {0};
    struct member m = {.node = 7};
    (void)state;
    assert_int_equal(members_met(&all, 5, 100), 100);
    assert_int_equal(members_met(&all, 5, 200), 100);
    members_put(&all, &m, "");
    members_all_dead(&all);
    members_sweep(&all, 1000);
    assert_null(members_find(&all, 7));
    assert_int_equal(members_met(&all, 7, 300), 0); /* it was one */
    members_put(&all, &m, "");
    members_find(&all, 7)->asked = 1;
    members_all_dead(&all);
    members_sweep(&all, 1000); /* somebody still asks it */
    assert_non_null(members_find(&all, 7));
    m.node = 5;
    members_put(&all, &m, "");
    members_all_dead(&all);
    members_sweep(&all, 1000);
    assert_int_equal(members_met(&all, 5, 400), 0);
    for (uint64_t node = 1000; node < 30000; node++)
        members_met(&all, node, 500);
    assert_int_equal(members_met(&all, 29999, 600), 500);
    members_free(&all);
}

static void test_the_forgotten(void **state)
{
    enum { LATER = MEMBERS_FORGOTTEN_MS + 2 };
    struct members all = {0};
    struct member m = {.node = 7};
    (void)state;
    assert_false(members_forgotten(&all, 5, LATER)); /* never heard of */
    members_listed(&all, 6, 1);
    assert_false(members_forgotten(&all, 6, LATER)); /* nobody says that it holds anything */
    members_met(&all, 5, 1);
    members_met(&all, 6, 1);
    assert_false(members_forgotten(&all, 5, LATER - 1));
    assert_true(members_forgotten(&all, 5, LATER));
    members_listed(&all, 6, LATER);
    assert_false(members_forgotten(&all, 6, 2 * LATER - 2));
    assert_true(members_forgotten(&all, 6, 2 * LATER));
    members_put(&all, &m, "");
    members_all_dead(&all);
    members_sweep(&all, LATER); /* it was in the list before: a list that was lost, maybe */
    members_met(&all, 7, LATER);
    assert_false(members_forgotten(&all, 7, 2 * LATER - 2));
    assert_true(members_forgotten(&all, 7, 2 * LATER));
    members_put(&all, &m, "");
    assert_false(members_forgotten(&all, 7, 2 * LATER));
    members_free(&all);
}

static void test_member_lines(void **state)
{
    static const char *const bad[] = {"", "x", "12", "12 url", "12 url zone more", "-", "12x u z"};
    char line[512];
    struct member m;
    int64_t expires;
    (void)state;
    int len = member_format(line, sizeof(line), 123, "http://a:1", "eu/a");
    assert_true(member_parse(line, (size_t)len, &expires, &m));
    assert_int_equal(expires, 123);
    assert_string_equal(m.url, "http://a:1");
    assert_string_equal(m.zone, "eu/a");
    len = member_format(line, sizeof(line), 5, "", "");
    assert_true(member_parse(line, (size_t)len, &expires, &m));
    assert_true(!m.url[0] && !m.zone[0]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (member_parse(bad[i], strlen(bad[i]), &expires, &m))
            fail_msg("'%s' is taken", bad[i]);
    assert_false(member_parse("1 u\0x z", 7, &expires, &m));
}

static void test_members(void **state)
{
    struct members all = {0};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct member m = {.node = i * 7919 % 100, .url = "http://a", .zone = "z"};
        members_put(&all, &m, "z");
    }
    assert_int_equal(all.n, 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(members_find(&all, i)->node, i);
    struct member *m = members_find(&all, 5);
    m->avoid_until_ms = 1000;
    assert_false(member_usable(m, 999));
    assert_true(member_usable(m, 1000));
    struct member moved = {.node = 5, .url = "http://b"};
    members_put(&all, &moved, ""); /* another server: nothing bad is known of it */
    assert_true(member_usable(members_find(&all, 5), 0));
    members_all_dead(&all);
    members_find(&all, 7)->asked = 1;
    members_put(&all, &moved, "");
    members_sweep(&all, 1000);
    assert_int_equal(all.n, 2); /* the living one, and one that still owes an answer */
    assert_false(member_usable(members_find(&all, 7), 0));
    members_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_the_forgotten),
        cmocka_unit_test(test_member_lines),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
