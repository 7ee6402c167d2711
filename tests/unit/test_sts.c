/* Roles: what STS is asked, with whose keys, and what is made of its answers. */
#include "tests/unit/aws_world.h"

#include <errno.h>
#include <time.h>

#include "common/clock.h"
#include "tests/unit/fake_server.h"

#define KEYS                                                                                       \
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId>"           \
    "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"                           \
    "<Expiration>2033-05-18T03:33:20Z</Expiration></Credentials></AssumeRoleResult>"               \
    "</AssumeRoleResponse>"
#define EXPIRES_S 2000000000
#define GOOD      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" KEYS
#define REFUSED                                                                                    \
    "HTTP/1.1 403 No\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>AccessDenied</Code>"  \
    "<Message>not you</Message></Error></ErrorResponse>"

/* The job's environment, and a fake STS that it names. */
struct stage {
    struct fake_server *server;
    char url_var[96];
    struct credentials credentials;
    char why[512];
    int error;
};

static void play(struct stage *g, struct world *w, const struct fake_step *steps, size_t n,
                 const char *config, const char *var)
{
    const struct credentials_patience patience = {.until_ms = clock_monotonic_ms() + 10000};
    memset(g, 0, sizeof(*g));
    g->server = fake_start(steps, n);
    snprintf(g->url_var, sizeof(g->url_var), "AWS_ENDPOINT_URL_STS=%s", g->server->url);
    set_env(w, g->url_var, var, NULL);
    write_file(w, ".aws/config", config);
    g->error = credentials_resolve(&w->env, &patience, &g->credentials, g->why, sizeof(g->why));
    fake_stop(g->server);
}

static void leave(struct stage *g)
{
    credentials_clear(&g->credentials);
    fake_free(g->server);
}

static void expect_role(const struct stage *g)
{
    if (g->error)
        fail_msg("%s", g->why);
    assert_string_equal(g->credentials.access_key, "ROLE");
    assert_string_equal(g->credentials.session_token, "T");
}

static const char with_base[] =
    "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
    "external_id = a b\nduration_seconds = 900\nrole_session_name = me\n"
    "[profile base]\naws_access_key_id = BASE\n"
    "aws_secret_access_key = x\naws_session_token = BASETOKEN\n";

static void test_what_is_asked(void **state)
{
    static const struct fake_step steps[] = {{GOOD, FAKE_CLOSE}};
    struct stage g;
    play(&g, *state, steps, 1, with_base, NULL);
    expect_role(&g);
    assert_int_equal(g.credentials.expires_s, EXPIRES_S);
    const char *sent = g.server->requests[0];
    static const char *const wanted[] = {"POST / HTTP/1.1\r\n",
                                         "Credential=BASE/",
                                         "/us-east-1/sts/aws4_request",
                                         "x-amz-security-token: BASETOKEN\r\n",
                                         "Action=AssumeRole&Version=2011-06-15",
                                         "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr",
                                         "&RoleSessionName=me",
                                         "&ExternalId=a%20b",
                                         "&DurationSeconds=900"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!strstr(sent, wanted[i]))
            fail_msg("\"%s\" is not in:\n%s", wanted[i], sent);
    leave(&g);
}

/* A profile may be its own source: then its keys count, not its role, which would never end. */
static void test_its_own_source(void **state)
{
    static const struct fake_step steps[] = {{GOOD, FAKE_CLOSE}};
    struct stage g;
    play(&g, *state, steps, 1,
         "[default]\nrole_arn = arn:r\nsource_profile = default\naws_access_key_id = OWN\n"
         "aws_secret_access_key = x\n",
         NULL);
    expect_role(&g);
    assert_int_equal(g.server->n_requests, 1);
    assert_non_null(strstr(g.server->requests[0], "Credential=OWN/"));
    leave(&g);
}

/* Roles in a chain: each is assumed with the keys of the one before. */
static void test_a_chain(void **state)
{
    static const struct fake_step steps[] = {{GOOD, FAKE_CLOSE}};
    struct stage g;
    play(&g, *state, steps, 1,
         "[default]\nrole_arn = arn:outer\nsource_profile = inner\n"
         "[profile inner]\nrole_arn = arn:inner\nsource_profile = base\n"
         "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = x\n",
         NULL);
    expect_role(&g);
    assert_int_equal(g.server->n_requests, 2);
    assert_non_null(strstr(g.server->requests[0], "RoleArn=arn%3Ainner"));
    assert_non_null(strstr(g.server->requests[0], "Credential=BASE/"));
    assert_non_null(strstr(g.server->requests[1], "RoleArn=arn%3Aouter"));
    assert_non_null(strstr(g.server->requests[1], "Credential=ROLE/"));
    leave(&g);
}

/* A source profile's web identity is its own, whatever token the environment names. */
static void test_web_identity_of_a_source(void **state)
{
    static const struct fake_step steps[] = {{GOOD, FAKE_CLOSE}};
    struct world *w = *state;
    struct stage g;
    write_file(w, "own", "TOKEN.OF.PROFILE\n");
    play(&g, w, steps, 1,
         "[default]\nrole_arn = arn:outer\nsource_profile = pod\n"
         "[profile pod]\nrole_arn = arn:pod\nweb_identity_token_file = ~/own\n",
         "AWS_WEB_IDENTITY_TOKEN_FILE=/none/token");
    expect_role(&g);
    assert_int_equal(g.server->n_requests, 2);
    const char *sent = g.server->requests[0];
    assert_non_null(strstr(sent, "Action=AssumeRoleWithWebIdentity&"));
    assert_non_null(strstr(sent, "&WebIdentityToken=TOKEN.OF.PROFILE"));
    assert_null(strstr(sent, "Authorization:"));
    leave(&g);
}

static void test_what_passes_is_asked_again(void **state)
{
    static const struct fake_step steps[] = {
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", FAKE_CLOSE},
        {NULL, FAKE_CLOSE},
        {GOOD, FAKE_CLOSE}};
    struct stage g;
    play(&g, *state, steps, 3, with_base, NULL);
    expect_role(&g);
    assert_int_equal(g.server->n_requests, 3);
    leave(&g);
}

static void test_a_refusal_is_one(void **state)
{
    static const struct fake_step steps[] = {{REFUSED, FAKE_CLOSE}};
    struct stage g;
    play(&g, *state, steps, 1, with_base, NULL);
    assert_int_equal(g.error, -EACCES);
    assert_int_equal(g.server->n_requests, 1);
    assert_non_null(
        strstr(g.why, "refused the role arn:aws:iam::1:role/r: HTTP 403 AccessDenied: not you"));
    leave(&g);
}

/* This machine's clock is a day behind: the request is dated by STS's, and what STS says of the end
 * is taken by ours. */
static void test_a_clock_that_is_off(void **state)
{
    static const int64_t day_s = 86400;
    char date[64], refusal[512], good[1024];
    time_t then = time(NULL) + day_s;
    struct tm tm;
    gmtime_r(&then, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    snprintf(refusal, sizeof(refusal),
             "HTTP/1.1 403 No\r\nDate: %s\r\nConnection: close\r\n\r\n<ErrorResponse><Error>"
             "<Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>",
             date);
    snprintf(good, sizeof(good), "HTTP/1.1 200 OK\r\nDate: %s\r\nConnection: close\r\n\r\n" KEYS,
             date);
    const struct fake_step steps[] = {{refusal, FAKE_CLOSE}, {good, FAKE_CLOSE}};
    struct stage g;
    play(&g, *state, steps, 2, with_base, NULL);
    expect_role(&g);
    char stamp[32] = "";
    strftime(stamp, sizeof(stamp), "x-amz-date: %Y%m%dT", &tm);
    assert_null(strstr(g.server->requests[0], stamp));
    assert_non_null(strstr(g.server->requests[1], stamp));
    assert_in_range(g.credentials.expires_s, EXPIRES_S - day_s - 5, EXPIRES_S - day_s + 5);
    leave(&g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_asked),
        TEST(test_its_own_source),
        TEST(test_a_chain),
        TEST(test_web_identity_of_a_source),
        TEST(test_what_passes_is_asked_again),
        TEST(test_a_refusal_is_one),
        TEST(test_a_clock_that_is_off),
    };
    return cmocka_run_group_tests_name("sts", tests, NULL, NULL);
}
