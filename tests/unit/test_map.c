/* common/map: mappings and lexical paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/map.h"

static char told[2048];
static int n_told;

static void listen(const char *sentence)
{
    strncat(told, sentence, sizeof(told) - strlen(told) - 1);
    n_told++;
}

static struct map *parse(const char *spec)
{
    static struct map map;
    told[0] = '\0';
    n_told = 0;
    map_parse(&map, spec, listen);
    return &map;
}

static void test_entries(void **state)
{
    (void)state;
    struct map *m =
        parse("/data=s3://corpus/v1, /data/own//=s3://other?style=path ,/x=s3://abc/?ro,"
              "/p=s3://mine-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias");
    assert_int_equal(n_told, 0);
    assert_int_equal(m->n, 4);
    assert_string_equal(m->entries[0].prefix, "/data/own");
    assert_string_equal(m->entries[0].bucket, "other");
    assert_string_equal(m->entries[0].key_prefix, "");
    assert_int_equal(m->entries[0].style, MAP_STYLE_PATH);
    assert_string_equal(m->entries[1].key_prefix, "v1/");
    assert_int_equal(m->entries[1].key_prefix_len, 3);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *spec, *says;
    } cases[] = {
        {"/data", "no '='"},
        {"data=s3://bucket", "absolute"},
        {"/=s3://bucket", "'/' itself"},
        {"/a/..=s3://bucket", "'/' itself"},
        {"/data=http://bucket", "s3://"},
        {"/data=s3://", "no bucket name"},
        {"/data=s3://a", "no bucket name"},
        {"/data=s3://bu$ket/x", "no bucket name"},
        {"/data=s3://arn:aws:s3:us-west-2:123456789012:accesspoint/mine/x", "access point's alias"},
        {"/data=s3://fast--use1-az4--x-s3/x", "S3 Express"},
        {"/data=s3://bucket?speed=9", "unknown option 'speed=9'"},
        {"/data=s3://bucket?rw", "not supported yet"},
        {"/data=s3://bucket?style=", "unknown option"},
        {"/data=s3://bucket?profile=", "unknown option"},
        {"/data=s3://bucket?requester_pays=2", "unknown option"},
        {"/data=s3://bucket?sse_c_key_file=relative", "unknown option"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct map *m = parse(cases[i].spec);
        assert_int_equal(m->n, 0);
        assert_int_equal(n_told, 1);
        if (!strstr(told, cases[i].says))
            fail_msg("%s: said \"%s\", not \"%s\"", cases[i].spec, told, cases[i].says);
    }
}

static void test_access(void **state)
{
    char spec[1024];
    (void)state;
    struct map *m = parse("/a=s3://one?profile=p1&style=path&requester_pays,"
                          "/b=s3://two?ro&sse_c_key_file=/k/f&requester_pays=1,/c=s3://three?ro");
    assert_int_equal(n_told, 0);
    assert_string_equal(m->entries[0].access, "profile=p1&requester_pays");
    assert_int_equal(m->entries[0].access_len, strlen(m->entries[0].access));
    assert_int_equal(m->entries[0].style, MAP_STYLE_PATH);
    assert_string_equal(m->entries[1].access, "sse_c_key_file=/k/f&requester_pays=1");
    assert_string_equal(m->entries[2].access, "");
    snprintf(spec, sizeof(spec), "/a=s3://one?profile=%0600d", 1);
    assert_int_equal(parse(spec)->n, 0);
    assert_non_null(strstr(told, "too long"));
}

static void test_bad_beside_good(void **state)
{
    (void)state;
    struct map *m = parse("/a=s3://one,nonsense,/a=s3://two,/b=s3://three");
    assert_int_equal(m->n, 2);
    assert_int_equal(n_told, 2);
    assert_non_null(strstr(told, "'nonsense'"));
    assert_non_null(strstr(told, "mapped already"));
}

static void test_find(void **state)
{
    static const struct {
        const char *path;
        const char *bucket; /* NULL: not ours */
    } cases[] = {
        {"/data", "outer"},       {"/data/x", "outer"},
        {"/data/in", "inner"},    {"/data/in/y", "inner"},
        {"/data/inner", "outer"}, {"/database", NULL},
        {"/dat", NULL},           {"/", NULL},
    };
    (void)state;
    struct map *m = parse("/data=s3://outer,/data/in=s3://inner");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct mapping *found = map_find(m, cases[i].path, strlen(cases[i].path));
        if (!cases[i].bucket)
            assert_null(found);
        else
            assert_string_equal(found->bucket, cases[i].bucket);
    }
}

static void test_normalise(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"/", "/"},           {"//", "/"},          {"/a/", "/a"},        {"/a//b", "/a/b"},
        {"/a/./b/.", "/a/b"}, {"/a/../b", "/b"},    {"/..", "/"},         {"/../../a", "/a"},
        {"/a/b/../..", "/"},  {"/a/...", "/a/..."}, {"/a/..b", "/a/..b"}, {"/a/b/../c/", "/a/c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[64];
        strcpy(path, cases[i].from);
        size_t len = path_normalise(path, strlen(path));
        assert_string_equal(path, cases[i].to);
        assert_int_equal(len, strlen(cases[i].to));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_access),  cmocka_unit_test(test_bad_beside_good),
        cmocka_unit_test(test_find),    cmocka_unit_test(test_normalise),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
