#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/credentials.h"

#define MAX_VARS 8

/* A home directory of its own, and a job's environment that points to it. */
struct world {
    char home[64];
    char home_var[80];
    char pwd_var[80];
    const char *vars[MAX_VARS + 3];
    struct aws_env env;
};

static void write_file(const struct world *w, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", w->home, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char path[160];
    strcpy(w->home, "/tmp/warmpath-test-XXXXXX");
    if (!w || !mkdtemp(w->home))
        return -1;
    snprintf(path, sizeof(path), "%s/.aws", w->home);
    snprintf(w->home_var, sizeof(w->home_var), "HOME=%s", w->home);
    snprintf(w->pwd_var, sizeof(w->pwd_var), "PWD=%s", w->home);
    w->env.vars = w->vars;
    *state = w;
    return mkdir(path, 0700);
}

static int teardown(void **state)
{
    static const char *const files[] = {".aws/credentials", ".aws/config", "own", "ca.pem"};
    struct world *w = *state;
    char path[160];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", w->home, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/.aws", w->home);
    rmdir(path);
    int failed = rmdir(w->home);
    free(w);
    return failed;
}

/* The job's variables, NULL-terminated. */
static void set_env(struct world *w, ...)
{
    va_list args;
    size_t n = 0;
    w->vars[n++] = w->home_var;
    w->vars[n++] = w->pwd_var;
    va_start(args, w);
    while ((w->vars[n] = va_arg(args, const char *)))
        assert_true(++n < MAX_VARS + 2);
    va_end(args);
}

static void expect_keys(const struct world *w, const char *key, const char *secret,
                        const char *token, const char *source)
{
    struct credentials c;
    char why[512] = "";
    if (credentials_resolve(&w->env, &c, why, sizeof(why)) != 0)
        fail_msg("refused: %s", why);
    assert_string_equal(c.access_key, key);
    assert_string_equal(c.secret_key, secret);
    if (token)
        assert_string_equal(c.session_token, token);
    else
        assert_null(c.session_token);
    assert_non_null(strstr(c.source, source));
    assert_false(c.anonymous);
    credentials_clear(&c);
    assert_null(c.secret_key);
}

static void expect_refusal(const struct world *w, const char *words)
{
    struct credentials c;
    char why[512] = "";
    assert_int_equal(credentials_resolve(&w->env, &c, why, sizeof(why)), -EACCES);
    if (!strstr(why, words))
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    assert_null(c.access_key);
    assert_null(c.secret_key);
}

static void test_environment_comes_first(void **state)
{
    struct world *w = *state;
    write_file(w, ".aws/credentials", "[default]\naws_access_key_id=F\naws_secret_access_key=G\n");
    set_env(w, "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B", NULL);
    expect_keys(w, "A", "B", NULL, "environment");
    set_env(w, "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B", "AWS_SESSION_TOKEN=T", NULL);
    expect_keys(w, "A", "B", "T", "environment");
    set_env(w, "AWS_ACCESS_KEY_ID= A\t", "AWS_SECRET_ACCESS_KEY=B\r\n", "AWS_SESSION_TOKEN=", NULL);
    expect_keys(w, "A", "B", NULL, "environment");
    set_env(w, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", NULL);
    expect_keys(w, "F", "G", NULL, "credentials file");
}

static void test_half_a_pair_is_an_error(void **state)
{
    struct world *w = *state;
    set_env(w, "AWS_ACCESS_KEY_ID=A", NULL);
    expect_refusal(w,
                   "AWS_ACCESS_KEY_ID is set in the environment but AWS_SECRET_ACCESS_KEY is not");
    set_env(w, "AWS_SECRET_ACCESS_KEY=B", NULL);
    expect_refusal(w,
                   "AWS_SECRET_ACCESS_KEY is set in the environment but AWS_ACCESS_KEY_ID is not");
    set_env(w, NULL);
    write_file(w, ".aws/credentials", "[default]\naws_access_key_id=F\n");
    expect_refusal(w, "aws_access_key_id is set in profile default");
}

static void test_keys_that_no_header_carries(void **state)
{
    struct world *w = *state;
    set_env(w, "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B C", NULL);
    expect_refusal(w, "AWS_SECRET_ACCESS_KEY");
    set_env(w, "AWS_ACCESS_KEY_ID=A\r\nEvil: x", "AWS_SECRET_ACCESS_KEY=B", NULL);
    expect_refusal(w, "AWS_ACCESS_KEY_ID");
}

static void test_nothing_says_where_was_looked(void **state)
{
    struct world *w = *state;
    set_env(w, NULL);
    expect_refusal(w, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    expect_refusal(w, w->home);
}

static void test_anonymous(void **state)
{
    struct world *w = *state;
    struct credentials c;
    char why[512];
    set_env(w, "AWS_NO_SIGN_REQUEST=true", NULL);
    assert_int_equal(credentials_resolve(&w->env, &c, why, sizeof(why)), 0);
    assert_true(c.anonymous);
    assert_null(c.access_key);
    credentials_clear(&c);
    set_env(w, "AWS_NO_SIGN_REQUEST=false", NULL);
    expect_refusal(w, "no AWS credentials");
}

static void test_profiles(void **state)
{
    struct world *w = *state;
    write_file(w, ".aws/credentials",
               "\n# comment\n; another\n[default]\naws_access_key_id = D\n"
               "aws_secret_access_key= a;b#c ; said by me\n\n[ team ]\r\naws_access_key_id=T\r\n"
               "aws_secret_access_key=U==\r\naws_session_token=V\r\nnonsense\n"
               "[half\naws_access_key_id=H\n");
    write_file(w, ".aws/config",
               "[default]\naws_access_key_id=X\naws_secret_access_key=Y\n"
               "[profile conf]\naws_access_key_id=C\naws_secret_access_key=E\n");
    set_env(w, NULL);
    expect_keys(w, "D", "a;b#c", NULL, "profile default of the credentials file");
    set_env(w, "AWS_PROFILE=team", NULL);
    expect_keys(w, "T", "U==", "V", "profile team");
    set_env(w, "AWS_DEFAULT_PROFILE=conf", NULL);
    expect_keys(w, "C", "E", NULL, "profile conf of the config file");
    set_env(w, "AWS_PROFILE=none", NULL);
    expect_refusal(w, "profile none is neither in");
    set_env(w, "AWS_PROFILE=none", "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B", NULL);
    expect_keys(w, "A", "B", NULL, "environment");
}

static void test_a_token_longer_than_a_line_should_be(void **state)
{
    struct world *w = *state;
    char token[3000], text[4000];
    memset(token, 't', sizeof(token));
    token[sizeof(token) - 1] = '\0';
    snprintf(text, sizeof(text),
             "[default]\naws_access_key_id=A\naws_session_token=%s\naws_secret_access_key=B\n",
             token);
    write_file(w, ".aws/credentials", text);
    set_env(w, NULL);
    expect_keys(w, "A", "B", token, "profile default");
}

static void test_files_elsewhere(void **state)
{
    struct world *w = *state;
    static const char *const spellings[] = {"AWS_SHARED_CREDENTIALS_FILE=~/own",
                                            "AWS_SHARED_CREDENTIALS_FILE=own"};
    write_file(w, "own", "[default]\naws_access_key_id=O\naws_secret_access_key=P");
    for (size_t i = 0; i < 2; i++) {
        set_env(w, spellings[i], "AWS_CONFIG_FILE=/dev/null", NULL);
        expect_keys(w, "O", "P", NULL, "profile default");
    }
    set_env(w, "AWS_SHARED_CREDENTIALS_FILE=/nonexistent/file", NULL);
    expect_refusal(w, "/nonexistent/file");
    set_env(w, "AWS_SHARED_CREDENTIALS_FILE=~/.aws", NULL); /* a directory */
    expect_refusal(w, "cannot read");
}

static void test_what_is_not_supported_is_named(void **state)
{
    struct world *w = *state;
    write_file(w, ".aws/config", "[default]\nrole_arn = arn:aws:iam::1:role/x\n");
    set_env(w, NULL);
    expect_refusal(w, "role_arn, which is not supported");
}

/* ---- endpoints ---- */

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_environment_comes_first),
        TEST(test_half_a_pair_is_an_error),
        TEST(test_keys_that_no_header_carries),
        TEST(test_nothing_says_where_was_looked),
        TEST(test_anonymous),
        TEST(test_profiles),
        TEST(test_a_token_longer_than_a_line_should_be),
        TEST(test_files_elsewhere),
        TEST(test_what_is_not_supported_is_named),
        TEST(test_endpoints),
        TEST(test_malformed_endpoints),
        TEST(test_endpoint_of_a_profile),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
