/* What is remembered of an endpoint: each of it for itself, and no more than was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/s3_lore.h"

static struct s3_endpoint endpoint_at(const char *scheme, const char *authority)
{
    static char scheme_text[8], authority_text[64], base_path[] = "", region[] = "us-east-1";
    strcpy(scheme_text, scheme);
    strcpy(authority_text, authority);
    return (struct s3_endpoint){.scheme = scheme_text,
                                .authority = authority_text,
                                .base_path = base_path,
                                .region = region,
                                .style = S3_STYLE_PATH};
}

/* ---- how fast ---- */

static void throttle(struct s3_lore *l, const char *bucket, const char *key)
{
    for (int i = 0; i < 4; i++)
        s3_lore_delay_ms(l, bucket, key, 1000);
    for (int i = 0; i < 4; i++)
        s3_lore_rate(l, bucket, key, true, 1000);
    s3_lore_delay_ms(l, bucket, key, 1000); /* the first goes at once */
}

static void test_a_pace_for_each_prefix(void **unused)
{
    (void)unused;
    struct s3_lore *l = s3_lore_get("pace");
    throttle(l, "bucket", "hot/a");
    assert_true(s3_lore_delay_ms(l, "bucket", "hot/b", 1001) > 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s3_lore_delay_ms(l, "bucket", "cold/a", 1001), 0);
        assert_int_equal(s3_lore_delay_ms(l, "bucket", "top", 1001), 0);
        assert_int_equal(s3_lore_delay_ms(l, "other", "hot/a", 1001), 0);
        assert_int_equal(s3_lore_delay_ms(l, "bucket", NULL, 1001), 0);
    }
    s3_lore_unref(l);
}

/* Refusals that are spread over many directories: none of them has two, all of them slow down. */
static void test_a_pace_for_a_bucket(void **unused)
{
    (void)unused;
    struct s3_lore *l = s3_lore_get("spread");
    char key[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d/x", i);
        s3_lore_delay_ms(l, "bucket", key, 1000 + i / 100);
        s3_lore_rate(l, "bucket", key, i >= 600, 1000 + i / 100);
    }
    s3_lore_delay_ms(l, "bucket", "another/a", 1100);
    int64_t last_ms = 0;
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "later-%d/x", i);
        last_ms = s3_lore_delay_ms(l, "bucket", key, 1100);
    }
    assert_true(last_ms > 100);
    assert_int_equal(s3_lore_delay_ms(l, "other", "later/x", 1100), 0);
    s3_lore_unref(l);
}

/* More prefixes than there is room for: the one not used for longest is forgotten, nothing else. */
static void test_paces_are_bounded(void **unused)
{
    (void)unused;
    struct s3_lore *l = s3_lore_get("paces");
    throttle(l, "bucket", "hot/a");
    for (int i = 0; i < 1000; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%d/x", i);
        assert_int_equal(s3_lore_delay_ms(l, "bucket", key, 1001 + i), 0);
        if (i % 20 == 0)
            assert_true(s3_lore_delay_ms(l, "bucket", "hot/a", 1001 + i) >= 0);
    }
    throttle(l, "bucket", "hot/a");
    assert_true(s3_lore_delay_ms(l, "bucket", "hot/a", 1001) > 0);
    s3_lore_unref(l);
}

/* ---- where a bucket is ---- */

struct move {
    const char *scheme, *authority; /* configured */
    const char *region, *location;  /* told */
    bool news;                      /* and what is asked from then on: */
    const char *now_scheme, *now_authority, *now_region;
    enum s3_style now_style;
};

static void test_where_a_bucket_moved(void **unused)
{
    (void)unused;
    static const struct move rows[] = {
        {"http", "host:1", "eu-west-1", "", true, "http", "host:1", "eu-west-1", S3_STYLE_PATH},
        {"http", "host:1", "us-east-1", "", false, "http", "host:1", "us-east-1", S3_STYLE_PATH},
        {"http", "host:1", "", "http://new:2/bucket/k", true, "http", "new:2", "us-east-1",
         S3_STYLE_PATH},
        {"http", "host:1", "", "https://bucket.new/k", true, "https", "new", "us-east-1",
         S3_STYLE_VIRTUAL},
        /* AWS' hosts have the region in their name, whatever else is said */
        {"https", "s3.us-east-1.amazonaws.com", "eu-west-1", "https://elsewhere/", true, "https",
         "s3.eu-west-1.amazonaws.com", "eu-west-1", S3_STYLE_PATH},
        {"https", "s3.cn-north-1.amazonaws.com.cn", "cn-northwest-1", "", true, "https",
         "s3.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1", S3_STYLE_PATH},
        /* what must not be believed: no TLS any more, no region, no host */
        {"https", "host", "", "http://host:80/", false, "https", "host", "us-east-1",
         S3_STYLE_PATH},
        {"http", "host:1", "evil.example/x", "", false, "http", "host:1", "us-east-1",
         S3_STYLE_PATH},
        {"http", "host:1", "", "http://user@evil/", false, "http", "host:1", "us-east-1",
         S3_STYLE_PATH},
        {"http", "host:1", "", "http://a b/", false, "http", "host:1", "us-east-1", S3_STYLE_PATH},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct move *m = &rows[i];
        struct s3_lore *l = s3_lore_get("places");
        struct s3_endpoint configured = endpoint_at(m->scheme, m->authority);
        bool news = s3_lore_moved(l, &configured, "bucket", m->region, m->location);
        struct s3_endpoint now = s3_lore_endpoint(l, &configured, "bucket");
        struct s3_endpoint other = s3_lore_endpoint(l, &configured, "another");
        if (news != m->news || strcmp(now.scheme, m->now_scheme) != 0 ||
            strcmp(now.authority, m->now_authority) != 0 ||
            strcmp(now.region, m->now_region) != 0 || now.style != m->now_style)
            fail_msg("row %zu: %d, %s://%s in %s", i, news, now.scheme, now.authority, now.region);
        assert_string_equal(other.authority, m->authority);
        assert_string_equal(other.region, "us-east-1");
        assert_false(s3_lore_moved(l, &configured, "bucket", m->region, m->location));
        s3_lore_unref(l); /* and with the last who uses it, all is forgotten */
    }
}

/* A bucket that is sent back and forth leaves room for all others. */
static void test_back_and_forth(void **unused)
{
    (void)unused;
    struct s3_lore *l = s3_lore_get("flapping");
    struct s3_endpoint configured = endpoint_at("http", "host:1");
    const char *first = NULL;
    for (int i = 0; i < 1000; i++) {
        assert_true(s3_lore_moved(l, &configured, "bucket", i % 2 ? "r-1" : "r-2", ""));
        struct s3_endpoint now = s3_lore_endpoint(l, &configured, "bucket");
        assert_string_equal(now.region, i % 2 ? "r-1" : "r-2");
        first = first ? first : now.region;
    }
    assert_string_equal(first, "r-2"); /* what was lent is still there */
    assert_true(s3_lore_moved(l, &configured, "another", "r-3", ""));
    assert_string_equal(s3_lore_endpoint(l, &configured, "another").region, "r-3");
    s3_lore_unref(l);
}

/* ---- alive? ---- */

static enum s3_lore_answer may_ask(struct s3_lore *l, int64_t now_ms)
{
    char why[384];
    return s3_lore_may_ask(l, now_ms, why, sizeof(why));
}

static void test_silence_and_return(void **unused)
{
    (void)unused;
    struct s3_lore *l = s3_lore_get("silent");
    struct s3_silence silent[2];
    assert_int_equal(may_ask(l, 1000), S3_LORE_ASK);
    assert_int_equal(s3_silences(1000, silent, 2), 0);
    s3_lore_silent(l, 1000, "nothing");
    assert_int_equal(may_ask(l, 1001), S3_LORE_REFUSE);
    assert_int_equal(may_ask(l, 2001), S3_LORE_PROBE);
    assert_int_equal(may_ask(l, 2002), S3_LORE_REFUSE); /* one at a time */
    s3_lore_forget_probe(l, 2003);                      /* it told nothing */
    assert_int_equal(may_ask(l, 2004), S3_LORE_PROBE);
    s3_lore_silent(l, 2005, "nothing at all"); /* for twice as long */
    assert_int_equal(s3_silences(3000, silent, 0), 0);
    assert_int_equal(s3_silences(3000, silent, 2), 1);
    assert_string_equal(silent[0].endpoint, "silent");
    assert_string_equal(silent[0].why, "nothing at all");
    assert_int_equal(silent[0].for_ms, 2000);
    assert_int_equal(may_ask(l, 3100), S3_LORE_REFUSE);
    assert_int_equal(may_ask(l, 4100), S3_LORE_PROBE);
    s3_lore_heard(l, 4101);
    assert_int_equal(s3_silences(4101, silent, 2), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(may_ask(l, 4102), S3_LORE_ASK);
    assert_true(s3_lore_answered_since(l, 4101));
    assert_false(s3_lore_answered_since(l, 4102));
    s3_lore_unref(l);
}

/* Why a HEAD was refused is asked for a thousand files once. */
static void test_a_reason_now_and_then(void **unused)
{
    (void)unused;
    struct s3_lore *l = s3_lore_get("refuses");
    int asked = 0;
    for (int64_t ms = 1000; ms < 31000; ms += 30)
        asked += s3_lore_may_diagnose(l, ms);
    assert_int_equal(asked, 3);
    s3_lore_unref(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pace_for_each_prefix), cmocka_unit_test(test_a_pace_for_a_bucket),
        cmocka_unit_test(test_paces_are_bounded),      cmocka_unit_test(test_where_a_bucket_moved),
        cmocka_unit_test(test_back_and_forth),         cmocka_unit_test(test_silence_and_return),
        cmocka_unit_test(test_a_reason_now_and_then),
    };
    return cmocka_run_group_tests_name("s3_lore", tests, NULL, NULL);
}
