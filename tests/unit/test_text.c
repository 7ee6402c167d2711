/* common/text: what is put together, and how often it has to be moved for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/text.h"

static void test_pieces(void **state)
{
    UT_string t;
    (void)state;
    text_init(&t);
    assert_string_equal(utstring_body(&t), "");
    text_put(&t, "a piece");
    text_put_char(&t, ',');
    text_put(&t, "");
    utstring_printf(&t, "%d", 7);
    assert_string_equal(utstring_body(&t), "a piece,7");
    assert_int_equal(utstring_len(&t), 9);
    utstring_done(&t);
}

static void test_a_long_text_is_seldom_moved(void **state)
{
    const char piece[] = "0123456789";
    UT_string t;
    size_t room, times = 0;
    (void)state;
    text_init(&t);
    room = t.n;
    for (int i = 0; i < 100000; i++) {
        if (i % 2)
            text_put(&t, piece);
        else
            text_put_char(&t, 'x');
        times += t.n != room;
        room = t.n;
    }
    assert_int_equal(utstring_len(&t), 550000);
    assert_int_equal(strlen(utstring_body(&t)), 550000);
    assert_memory_equal(utstring_body(&t) + 549990 - 11, "0123456789x0123456789", 21);
    assert_in_range(times, 1, 12);
    utstring_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_a_long_text_is_seldom_moved),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
