/* fetch/endpoint.c: where S3 is, by what environment and profiles say. */
#include "tests/unit/aws_world.h"

#include <errno.h>

struct endpoint_row {
    const char *vars[4];
    enum s3_style wish;
    const char *scheme, *authority, *base_path, *region;
    enum s3_style style;
};

static void test_endpoints(void **state)
{
    struct world *w = *state;
    static const struct endpoint_row rows[] = {
        {{NULL},
         S3_STYLE_AUTO,
         "https",
         "s3.us-east-1.amazonaws.com",
         "",
         "us-east-1",
         S3_STYLE_VIRTUAL},
        {{"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=x"},
         S3_STYLE_PATH,
         "https",
         "s3.eu-west-1.amazonaws.com",
         "",
         "eu-west-1",
         S3_STYLE_PATH},
        {{"AWS_DEFAULT_REGION=cn-north-1"},
         S3_STYLE_AUTO,
         "https",
         "s3.cn-north-1.amazonaws.com.cn",
         "",
         "cn-north-1",
         S3_STYLE_VIRTUAL},
        {{"AWS_ENDPOINT_URL_S3=http://Host:8000/", "AWS_ENDPOINT_URL=http://other"},
         S3_STYLE_AUTO,
         "http",
         "host:8000",
         "",
         "us-east-1",
         S3_STYLE_PATH},
        {{"AWS_ENDPOINT_URL=https://h:443/base/path//"},
         S3_STYLE_VIRTUAL,
         "https",
         "h",
         "/base/path",
         "us-east-1",
         S3_STYLE_VIRTUAL},
        {{"AWS_ENDPOINT_URL=http://h:443"},
         S3_STYLE_AUTO,
         "http",
         "h:443",
         "",
         "us-east-1",
         S3_STYLE_PATH},
        {{"AWS_ENDPOINT_URL=http://[::1]:80"},
         S3_STYLE_AUTO,
         "http",
         "[::1]",
         "",
         "us-east-1",
         S3_STYLE_PATH},
        {{"AWS_ENDPOINT_URL=http://h", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"},
         S3_STYLE_AUTO,
         "https",
         "s3.us-east-1.amazonaws.com",
         "",
         "us-east-1",
         S3_STYLE_VIRTUAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct endpoint_row *row = &rows[i];
        struct s3_endpoint e;
        char why[512];
        set_env(w, row->vars[0], row->vars[1], row->vars[2], NULL);
        if (s3_endpoint_resolve(&w->env, row->wish, &e, why, sizeof(why)) != 0)
            fail_msg("row %zu: %s", i, why);
        assert_string_equal(e.scheme, row->scheme);
        assert_string_equal(e.authority, row->authority);
        assert_string_equal(e.base_path, row->base_path);
        assert_string_equal(e.region, row->region);
        assert_int_equal(e.style, row->style);
        assert_null(e.ca_bundle);
        s3_endpoint_clear(&e);
    }
}

static void test_malformed_endpoints(void **state)
{
    struct world *w = *state;
    static const char *const vars[] = {
        "AWS_ENDPOINT_URL_S3=localhost:8000", "AWS_ENDPOINT_URL_S3=ftp://h",
        "AWS_ENDPOINT_URL_S3=http://",        "AWS_ENDPOINT_URL_S3=http://user:pw@h",
        "AWS_ENDPOINT_URL_S3=http://h?x=y",   "AWS_ENDPOINT_URL_S3=http://h:99999",
        "AWS_ENDPOINT_URL_S3=http://h h",     "AWS_REGION=us east",
        "AWS_REGION=evil.example/x",          "AWS_ENDPOINT_URL_S3=s3://bucket",
    };
    for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++) {
        struct s3_endpoint e;
        char why[512] = "";
        set_env(w, vars[i], NULL);
        if (s3_endpoint_resolve(&w->env, S3_STYLE_AUTO, &e, why, sizeof(why)) != -EINVAL)
            fail_msg("%s passed", vars[i]);
        assert_non_null(strstr(why, strchr(vars[i], 'E') && strstr(vars[i], "URL")
                                        ? "AWS_ENDPOINT_URL_S3"
                                        : "AWS_REGION"));
        assert_null(e.authority);
    }
}

static void test_endpoint_of_a_profile(void **state)
{
    struct world *w = *state;
    struct s3_endpoint e;
    char why[512], ca[128];
    write_file(
        w, ".aws/config",
        "[default]\nregion = eu-north-1\nendpoint_url = http://general\nca_bundle = ~/ca.pem\n"
        "[profile dev]\nservices = local\nendpoint_url = http://general\ns3 =\n"
        "  addressing_style = virtual\nregion = ap-east-1\n"
        "[services local]\ndynamodb =\n  endpoint_url = http://dynamo\ns3 =\n"
        "  endpoint_url = http://special:81\n");
    set_env(w, NULL);
    assert_int_equal(s3_endpoint_resolve(&w->env, S3_STYLE_AUTO, &e, why, sizeof(why)), 0);
    assert_string_equal(e.authority, "general");
    assert_string_equal(e.region, "eu-north-1");
    snprintf(ca, sizeof(ca), "%s/ca.pem", w->home);
    assert_string_equal(e.ca_bundle, ca);
    s3_endpoint_clear(&e);

    /* A profile that a mapping names comes before the environment. */
    set_env(w, "WARMPATH_PROFILE=dev", "AWS_ENDPOINT_URL_S3=http://env", "AWS_REGION=us-west-1",
            NULL);
    assert_int_equal(s3_endpoint_resolve(&w->env, S3_STYLE_AUTO, &e, why, sizeof(why)), 0);
    assert_string_equal(e.authority, "special:81");
    assert_string_equal(e.region, "ap-east-1");
    s3_endpoint_clear(&e);

    set_env(w, "AWS_PROFILE=dev", "AWS_CA_BUNDLE=/etc/ca.pem", NULL);
    assert_int_equal(s3_endpoint_resolve(&w->env, S3_STYLE_AUTO, &e, why, sizeof(why)), 0);
    assert_string_equal(e.authority, "special:81");
    assert_string_equal(e.region, "ap-east-1");
    assert_string_equal(e.ca_bundle, "/etc/ca.pem");
    assert_int_equal(e.style, S3_STYLE_VIRTUAL);
    s3_endpoint_clear(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_endpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_endpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endpoint_of_a_profile, setup, teardown),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
