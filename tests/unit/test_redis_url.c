/* fetch/redis_url on a table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/redis_url.h"

static const struct {
    const char *text;
    const char *want; /* kind tls user password master db seeds…; NULL: refused */
} urls[] = {
    {"redis://cache", "0 0 - - - 0 cache:6379"},
    {"redis://cache:7000/3", "0 0 - - - 3 cache:7000"},
    {"redis://:s%3Acret@cache", "0 0 - s:cret - 0 cache:6379"},
    {"redis://me:p@ss@cache:1/", "0 0 me p@ss - 0 cache:1"},
    {"rediss://me:x@10.0.0.1:6380", "0 1 me x - 0 10.0.0.1:6380"},
    {"redis://[fd00::1]:7000", "0 0 - - - 0 [fd00::1]:7000"},
    {"redis://[fd00::1]", "0 0 - - - 0 [fd00::1]:6379"},
    {"unix:///run/redis.sock", "0 0 - - - 0 /run/redis.sock"},
    {"unix://:pw@/run/redis.sock?db=2", "0 0 - pw - 2 /run/redis.sock"},
    {"redis://a:1,b:2,c", "1 0 - - - 0 a:1 b:2 c:6379"},
    {"redis://u:p@a:1,redis://b:2", "1 0 u p - 0 a:1 b:2"},
    {"redis+sentinel://a,b:7/main", "2 0 - - main 0 a:26379 b:7"},
    {"redis+sentinel://:p@a/main/4", "2 0 - p main 4 a:26379"},
    {"", NULL},
    {"cache:6379", NULL},
    {"http://cache", NULL},
    {"redis://", NULL},
    {"redis://:p@", NULL},
    {"redis://cache:0", NULL},
    {"redis://cache:99999", NULL},
    {"redis://cache:6379x", NULL},
    {"redis://cache/one", NULL},
    {"redis://a,b/1", NULL},
    {"redis://a/0,b", NULL},
    {"redis://a,rediss://b", NULL},
    {"redis://%zz:p@a", NULL},
    {"redis://:%00@a", NULL},
    {"redis+sentinel://a", NULL},
    {"redis+sentinel://a/", NULL},
    {"unix://relative", NULL},
    {"unix://", NULL},
};

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct redis_target t;
        char why[256] = "", got[1024];
        int r = redis_url_parse(urls[i].text, &t, why, sizeof(why));
        if (!urls[i].want) {
            if (r != -EINVAL || !why[0])
                fail_msg("'%s' is taken", urls[i].text);
            continue;
        }
        if (r != 0)
            fail_msg("'%s' is refused: %s", urls[i].text, why);
        int len = snprintf(got, sizeof(got), "%d %d %s %s %s %u", (int)t.kind, t.tls,
                           t.user[0] ? t.user : "-", t.password[0] ? t.password : "-",
                           t.master[0] ? t.master : "-", t.db);
        for (size_t k = 0; k < t.n_seeds; k++) {
            char address[300];
            redis_address_text(&t.seeds[k], address, sizeof(address));
            len += snprintf(got + len, sizeof(got) - (size_t)len, " %s", address);
        }
        assert_string_equal(got, urls[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests_name("redis-url", tests, NULL, NULL);
}
