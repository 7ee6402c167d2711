#include "tests/unit/aws_world.h"

#include <errno.h>

#include "common/clock.h"
#include "fetch/credentials.h"
#include "fetch/credentials_internal.h"

static void expect_keys(const struct world *w, const char *key, const char *secret,
                        const char *token, const char *source)
{
    struct credentials c;
    char why[512] = "";
    if (credentials_resolve(&w->env, NULL, &c, why, sizeof(why)) != 0)
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
    assert_int_equal(credentials_resolve(&w->env, NULL, &c, why, sizeof(why)), -EACCES);
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
    assert_int_equal(credentials_resolve(&w->env, NULL, &c, why, sizeof(why)), 0);
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
               "aws_secret_access_key= a;b#c ; said by me\n\n[twice]\naws_access_key_id=1\n"
               "aws_secret_access_key=2\naws_access_key_id=3\n[ team ]\r\naws_access_key_id=T\r\n"
               "aws_secret_access_key=U==\r\naws_session_token=V\r\nnonsense\n"
               "[half\naws_access_key_id=H\n");
    write_file(w, ".aws/config",
               "[default]\naws_access_key_id=X\naws_secret_access_key=Y\n"
               "[profile conf]\naws_access_key_id=C\naws_secret_access_key=E\n"
               "[profile \"two words\"]\naws_access_key_id=Q\naws_secret_access_key=R\n"
               "[ profile \t far ]\naws_access_key_id=F\naws_secret_access_key=G\n"
               "[profile]\n[profile conf more]\naws_access_key_id=no\n");
    set_env(w, NULL);
    expect_keys(w, "D", "a;b#c", NULL, "profile default of the credentials file");
    set_env(w, "AWS_PROFILE=team", NULL);
    expect_keys(w, "T", "U==", "V", "profile team");
    set_env(w, "AWS_PROFILE=twice", NULL); /* the later line counts */
    expect_keys(w, "3", "2", NULL, "profile twice");
    set_env(w, "AWS_DEFAULT_PROFILE=conf", NULL);
    expect_keys(w, "C", "E", NULL, "profile conf of the config file");
    set_env(w, "AWS_PROFILE=two words", NULL);
    expect_keys(w, "Q", "R", NULL, "profile two words");
    set_env(w, "AWS_PROFILE=far", NULL);
    expect_keys(w, "F", "G", NULL, "profile far");
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

/* A profile that asks for more than keys: what needs waiting says so, what cannot be says why. */
struct way_row {
    const char *config;
    int error;
    const char *words;
};

static void test_ways_beyond_keys(void **state)
{
    struct world *w = *state;
    static const struct way_row rows[] = {
        {"role_arn = arn:aws:iam::1:role/x\nsource_profile = other\n", -EINPROGRESS, ""},
        {"role_arn = arn:aws:iam::1:role/x\nweb_identity_token_file = ~/own\n", -EINPROGRESS, ""},
        {"credential_process = /bin/echo hello\n", -EINPROGRESS, ""},
        {"role_arn = a\nsource_profile = b\nmfa_serial = c\n", -EACCES, "mfa_serial"},
        {"web_identity_token_file = ~/own\n", -EACCES, "no role is named"},
        {"sso_session = corp\nsso_account_id = 1\n", -EACCES, "IAM Identity Center"},
        {"sso_start_url = https://x\naws_access_key_id = A\n", -EACCES, "not supported"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct credentials c;
        char text[256], why[512] = "";
        snprintf(text, sizeof(text), "[default]\n%s", rows[i].config);
        write_file(w, ".aws/config", text);
        set_env(w, NULL);
        int error = credentials_resolve(&w->env, NULL, &c, why, sizeof(why));
        if (error != rows[i].error || !strstr(why, rows[i].words))
            fail_msg("row %zu: %d, \"%s\"", i, error, why);
        set_env(w, "AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B", NULL);
        expect_keys(w, "A", "B", NULL, "environment");
    }
}

static int resolve_patiently(const struct world *w, struct credentials *c, char *why, size_t size)
{
    const struct credentials_patience patience = {.until_ms = clock_monotonic_ms() + 5000};
    return credentials_resolve(&w->env, &patience, c, why, size);
}

struct process_row {
    const char *command;
    const char *words; /* of the refusal; NULL: keys A, B, T */
};

static void test_credential_process(void **state)
{
    struct world *w = *state;
    static const struct process_row rows[] = {
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\","
         "\"SessionToken\":\"T\",\"Expiration\":\"2033-05-18T03:33:20Z\"}'",
         NULL},
        {"printf '{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\",\"SessionToken\":\"%s\","
         "\"Expiration\":\"2033-05-18T05:33:20.5+02:00\"}' $TOKEN_OF_JOB",
         NULL},
        {"echo no json; echo S3CRET >&2", "did not answer with a JSON object"},
        {"echo '{\"AccessKeyId\":\"A\"}'", "SecretAccessKey is not"},
        {"echo '{\"Code\":\"E1\",\"Message\":\"M1\"}'", "E1: M1"},
        {"echo '{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\",\"Expiration\":\"never\"}'",
         "which is no time"},
        {"exit 3", "exit status 3"},
        {"kill -9 $$", "exit status 137"},
        {"cat /dev/zero", "did not end in time, or wrote too much"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct credentials c;
        char text[512], why[512] = "";
        snprintf(text, sizeof(text), "[default]\ncredential_process = %s\n", rows[i].command);
        write_file(w, ".aws/config", text);
        set_env(w, "TOKEN_OF_JOB=T", NULL);
        int error = resolve_patiently(w, &c, why, sizeof(why));
        if (rows[i].words ? error != -EACCES || !strstr(why, rows[i].words) : error != 0)
            fail_msg("row %zu: %d, \"%s\"", i, error, why);
        assert_null(strstr(why, "S3CRET"));
        if (error)
            continue;
        assert_string_equal(c.access_key, "A");
        assert_string_equal(c.secret_key, "B");
        assert_string_equal(c.session_token, "T");
        assert_int_equal(c.expires_s, 2000000000);
        credentials_clear(&c);
    }
}

static void test_a_process_that_hangs(void **state)
{
    struct world *w = *state;
    struct credentials c;
    char why[512] = "";
    int64_t before_ms = clock_monotonic_ms();
    const struct credentials_patience patience = {.until_ms = before_ms + 400};
    write_file(w, ".aws/config", "[default]\ncredential_process = sleep 60\n");
    set_env(w, NULL);
    assert_int_equal(credentials_resolve(&w->env, &patience, &c, why, sizeof(why)), -EACCES);
    assert_non_null(strstr(why, "did not end in time"));
    assert_in_range(clock_monotonic_ms() - before_ms, 350, 5000);
}

static void test_sources_in_a_circle(void **state)
{
    struct world *w = *state;
    struct credentials c;
    char why[512] = "";
    write_file(w, ".aws/config",
               "[default]\nrole_arn = a\nsource_profile = two\n"
               "[profile two]\nrole_arn = b\nsource_profile = three\n"
               "[profile three]\nrole_arn = c\nsource_profile = two\n"
               "[profile four]\nrole_arn = d\nsource_profile = none\n"
               "[profile five]\nrole_arn = e\n"
               "[profile six]\nrole_arn = f\ncredential_source = Moon\n");
    static const char *const rows[][2] = {{"AWS_PROFILE=default", "in a circle"},
                                          {"AWS_PROFILE=four", "profile none is neither in"},
                                          {"AWS_PROFILE=five", "neither source_profile nor"},
                                          {"AWS_PROFILE=six", "known are Environment"}};
    for (size_t i = 0; i < 4; i++) {
        set_env(w, rows[i][0], NULL);
        assert_int_equal(resolve_patiently(w, &c, why, sizeof(why)), -EACCES);
        if (!strstr(why, rows[i][1]))
            fail_msg("%s: \"%s\"", rows[i][0], why);
    }
}

static void test_where_a_containers_token_may_go(void **unused)
{
    (void)unused;
    static const char *const allowed[] = {"https://example.org/x",  "http://127.0.0.1:80/x",
                                          "http://127.9.9.9/",      "http://localhost:1/",
                                          "http://[::1]:9/",        "http://169.254.170.2/v2",
                                          "http://169.254.170.23/", "http://[fd00:ec2::23]/v1"};
    static const char *const refused[] = {
        "http://example.org/x",   "http://169.254.169.254/",        "http://128.0.0.1/",
        "http://127.0.0.1@evil/", "http://localhost.evil.example/", "ftp://127.0.0.1/",
        "http://[fd00:ec2::24]/", "http://2130706433.example/",     "nonsense"};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (!credentials_host_allowed(allowed[i]))
            fail_msg("%s was refused", allowed[i]);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (credentials_host_allowed(refused[i]))
            fail_msg("%s was allowed", refused[i]);
}

static void test_container_uris(void **state)
{
    struct world *w = *state;
    struct credentials c;
    char why[512] = "";
    set_env(w, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.org/", NULL);
    expect_refusal(w, "must be https");
    set_env(w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=v2/x", NULL);
    expect_refusal(w, "must begin with a slash");
    set_env(w, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x", NULL);
    assert_int_equal(credentials_resolve(&w->env, NULL, &c, why, sizeof(why)), -EINPROGRESS);
}

static void test_sts_answers(void **unused)
{
    (void)unused;
    struct credentials c;
    char code[64], message[256];
    static const char good[] =
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult>"
        "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>B/&amp;</SecretAccessKey>"
        "<SessionToken>T</SessionToken><Expiration>2033-05-18T03:33:20Z</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>";
    static const char bad[] = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message>"
                              "</Error></ErrorResponse>";
    static const char entity[] = "<!DOCTYPE x [<!ENTITY a 'b'>]><AccessKeyId>&a;</AccessKeyId>";
    assert_true(sts_parse(good, strlen(good), &c, code, message));
    assert_string_equal(c.secret_key, "B/&");
    assert_int_equal(c.expires_s, 2000000000);
    credentials_clear(&c);
    assert_false(sts_parse(good, strlen(good) - 5, &c, code, message));
    assert_false(sts_parse(bad, strlen(bad), &c, code, message));
    assert_string_equal(code, "AccessDenied");
    assert_string_equal(message, "no");
    assert_false(sts_parse(entity, strlen(entity), &c, code, message));
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
        TEST(test_ways_beyond_keys),
        TEST(test_credential_process),
        TEST(test_a_process_that_hangs),
        TEST(test_sources_in_a_circle),
        cmocka_unit_test(test_where_a_containers_token_may_go),
        TEST(test_container_uris),
        cmocka_unit_test(test_sts_answers),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
