/* What S3 names and another try can mend: region, keys, version; and what is remembered. */
#include "tests/unit/s3_session.h"

#include <errno.h>

#include "fetch/keyring.h"

static void test_a_bucket_in_another_region(void **unused)
{
    (void)unused;
    static const char malformed[] =
        "HTTP/1.1 400 No\r\nContent-Length: 87\r\n\r\n<Error><Code>AuthorizationHeaderMalformed"
        "</Code><Region>eu-west-1</Region></Error>      ";
    static const char *const answers[] = {
        "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 No\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n",
        malformed};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const struct fake_step steps[] = {{answers[i], FAKE_KEEP}, {GOOD, FAKE_KEEP}};
        struct session s;
        struct call c;
        begin(&s, steps, 2);
        for (int turn = 0; turn < 2; turn++) {
            get(&s, &c);
            assert_int_equal(c.s3.result.error, 0);
            assert_string_equal(c.body, "0123456789");
            assert_int_equal(c.s3.result.attempts, turn == 0 ? 2 : 1);
        }
        struct fake_server *server = end(&s);
        assert_int_equal(server->n_requests, 3); /* remembered for the second call */
        assert_non_null(strstr(server->requests[0], "/us-east-1/s3/aws4_request"));
        assert_non_null(strstr(server->requests[1], "/eu-west-1/s3/aws4_request"));
        assert_non_null(strstr(server->requests[2], "/eu-west-1/s3/aws4_request"));
        fake_free(server);
    }
}

static void test_a_redirect_to_another_host(void **unused)
{
    (void)unused;
    static const struct fake_step there_steps[] = {{GOOD, FAKE_KEEP}};
    struct fake_server *there = FAKE_START(there_steps);
    char answer[256];
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 307 There\r\nLocation: %s/bucket/key?x=y\r\nContent-Length: 0\r\n\r\n",
             there->url);
    const struct fake_step steps[] = {{answer, FAKE_KEEP}};
    struct session s;
    struct call c;
    begin(&s, steps, 1);
    get(&s, &c);
    assert_int_equal(c.s3.result.error, 0);
    get(&s, &c);
    assert_int_equal(c.s3.result.error, 0);
    struct fake_server *here = end(&s);
    fake_stop(there);
    assert_int_equal(here->n_requests, 1);
    assert_int_equal(there->n_requests, 2);
    char host[80];
    snprintf(host, sizeof(host), "Host: 127.0.0.1:%d\r\n", there->port);
    assert_non_null(strstr(there->requests[0], host));
    assert_non_null(strstr(there->requests[0], "GET /bucket/a%20key"));
    fake_free(here);
    fake_free(there);
}

/* Without a Location, the document names the place. */
static void test_a_redirect_by_the_document(void **unused)
{
    (void)unused;
    static const struct fake_step there_steps[] = {{GOOD, FAKE_KEEP}};
    struct fake_server *there = FAKE_START(there_steps);
    char answer[256];
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 301 There\r\nConnection: close\r\n\r\n<Error><Code>PermanentRedirect</Code>"
             "<Endpoint>127.0.0.1:%d</Endpoint></Error>",
             there->port);
    const struct fake_step steps[] = {{answer, FAKE_CLOSE}};
    struct session s;
    struct call c;
    begin(&s, steps, 1);
    get(&s, &c);
    assert_int_equal(c.s3.result.error, 0);
    fake_stop(there);
    assert_int_equal(there->n_requests, 1);
    fake_free(end(&s));
    fake_free(there);
}

/* Two places that name each other. */
static void test_redirects_without_end(void **unused)
{
    (void)unused;
#define TO(region)                                                                                 \
    {                                                                                              \
        "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: " region "\r\nContent-Length: 0\r\n\r\n",      \
            FAKE_KEEP                                                                              \
    }
    static const struct fake_step steps[] = {TO("r-1"), TO("r-2"), TO("r-1"), TO("r-2"),
                                             TO("r-1"), TO("r-2"), TO("r-1"), {GOOD, FAKE_KEEP}};
    struct session s;
    struct call c;
    begin(&s, steps, sizeof(steps) / sizeof(steps[0]));
    get(&s, &c);
    assert_int_equal(c.s3.result.error, -EIO);
    assert_int_equal(c.s3.result.attempts, 4);
    fake_free(end(&s));
}

/* Somebody who may answer for S3 must not send us anywhere. */
static void test_redirects_that_lead_nowhere(void **unused)
{
    (void)unused;
    static const char *const places[] = {"ftp://127.0.0.1/x", "http://user@127.0.0.1:1/",
                                         "http:///x", "/relative", "http://h\\x/"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char answer[256];
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 307 There\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", places[i]);
        const struct fake_step steps[] = {{answer, FAKE_KEEP}};
        struct session s;
        struct call c;
        begin(&s, steps, 1);
        get(&s, &c);
        assert_int_equal(c.s3.result.error, -EIO);
        assert_int_equal(c.s3.result.attempts, 1);
        assert_non_null(strstr(c.s3.result.why, "AWS_REGION"));
        fake_free(end(&s));
    }
}

/* ---- keys ---- */

static void process_vars(const char *dir, const char *vars[5])
{
    static char text[2][160];
    char path[128];
    snprintf(path, sizeof(path), "%s/config", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "[default]\ncredential_process = echo x >>%s/runs; printf "
            "'{\"AccessKeyId\":\"K%%s\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\"}' "
            "$(wc -l <%s/runs)\n",
            dir, dir);
    fclose(f);
    snprintf(text[0], sizeof(text[0]), "HOME=%s", dir);
    snprintf(text[1], sizeof(text[1]), "AWS_CONFIG_FILE=%s/config", dir);
    for (size_t i = 0; i < 2; i++)
        vars[i] = text[i];
    vars[2] = "AWS_SHARED_CREDENTIALS_FILE=/dev/null";
    vars[3] = "AWS_EC2_METADATA_DISABLED=true";
    vars[4] = NULL;
}

/* Expired keys are renewed, and the request goes again: once, whatever S3 says of the new ones. */
static void test_keys_that_expired(void **unused)
{
    (void)unused;
    static const struct fake_step expired = {ERROR_DOCUMENT("400 No", "ExpiredToken"), FAKE_CLOSE};
    const struct fake_step steps[] = {{GOOD, FAKE_KEEP}, expired, {GOOD, FAKE_KEEP}, expired};
    static const char *const keys[] = {"K1/", "K1/", "K2/", "K2/", "K3/"};
    static const uint32_t attempts[] = {1, 2, 2};
    char dir[] = "/tmp/warmpath-mend-XXXXXX", command[64];
    const char *vars[5];
    struct session s;
    assert_non_null(mkdtemp(dir));
    process_vars(dir, vars);
    s.server = FAKE_START(steps);
    s.engine = http_engine_new(1);
    struct s3_endpoint endpoint = {.scheme = strdup("http"),
                                   .authority = strdup(s.server->url + strlen("http://")),
                                   .base_path = strdup(""),
                                   .region = strdup("us-east-1"),
                                   .style = S3_STYLE_PATH};
    struct keyring *keyring = keyring_new(vars, 5000);
    s.context = s3_context_make(&endpoint, keyring, NULL);
    keyring_unref(keyring);
    for (int turn = 0; turn < 3; turn++) {
        struct call c;
        get(&s, &c);
        if (c.s3.result.attempts != attempts[turn] ||
            c.s3.result.error != (turn == 2 ? -EACCES : 0))
            fail_msg("turn %d: %d after %u: %s", turn, c.s3.result.error, c.s3.result.attempts,
                     c.s3.result.why);
    }
    struct fake_server *server = end(&s);
    assert_int_equal(server->n_requests, 5);
    for (int i = 0; i < 5; i++) {
        const char *credential = strstr(server->requests[i], "Credential=");
        assert_memory_equal(credential + strlen("Credential="), keys[i], 3);
    }
    fake_free(server);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

#define REPLACED NO_BODY("412 Precondition Failed")
#define DELETED  ERROR_DOCUMENT("404 Not Found", "NoSuchKey")

struct version_row {
    const char *first, *second;
    int error;
};

static void test_the_version_that_was_opened(void **unused)
{
    (void)unused;
    static const struct version_row rows[] = {
        {REPLACED, GOOD, 0},
        {DELETED, GOOD, 0},
        {REPLACED, ERROR_DOCUMENT("404 Not Found", "NoSuchVersion"), -ESTALE},
        {REPLACED, ERROR_DOCUMENT("403 Forbidden", "AccessDenied"), -ESTALE},
        {DELETED, ERROR_DOCUMENT("403 Forbidden", "AccessDenied"), -ENOENT},
        {REPLACED, REPLACED, -ESTALE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct fake_step steps[] = {{rows[i].first, FAKE_CLOSE},
                                          {rows[i].second, FAKE_CLOSE}};
        struct session s;
        struct call c;
        begin(&s, steps, 2);
        call_init(&c, S3_GET);
        c.s3.if_match = ETAG;
        c.s3.version_id = "v+1/2";
        call_run(&c, s.engine, s.context);
        if (c.s3.result.error != rows[i].error)
            fail_msg("row %zu: %d: %s", i, c.s3.result.error, c.s3.result.why);
        struct fake_server *server = end(&s);
        assert_int_equal(server->n_requests, 2);
        assert_null(strstr(server->requests[0], "versionId"));
        assert_non_null(strstr(server->requests[1], "?versionId=v%2B1%2F2 HTTP/1.1\r\n"));
        assert_non_null(strstr(server->requests[1], "If-Match: " ETAG));
        fake_free(server);
    }
}

static void test_version_ids_are_told(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {
        {"HTTP/1.1 200 OK\r\nETag: " ETAG "\r\nx-amz-version-id: abc\r\nContent-Length: 5\r\n\r\n",
         FAKE_KEEP},
        {"HTTP/1.1 200 OK\r\nETag: " ETAG "\r\nx-amz-version-id: null\r\nContent-Length: 5\r\n\r\n",
         FAKE_KEEP}};
    static const char *const want[] = {"abc", ""};
    struct session s;
    begin(&s, steps, 2);
    for (int i = 0; i < 2; i++) {
        struct call c;
        call_init(&c, S3_HEAD);
        call_run(&c, s.engine, s.context);
        assert_string_equal(c.s3.meta.version_id, want[i]);
    }
    fake_free(end(&s));
}

/* ---- silence ---- */

static void test_a_dead_endpoint_is_left_alone(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{GOOD, FAKE_KEEP}};
    char authority[32];
    int port = fake_dead_port();
    struct http_engine *e = http_engine_new(1);
    snprintf(authority, sizeof(authority), "127.0.0.1:%d", port);
    struct s3_context *context = context_for(authority, true);
    struct call c;
    call_init(&c, S3_GET);
    c.s3.deadline_ms = 1500;
    call_run(&c, e, context);
    assert_int_equal(c.s3.result.error, -EIO);
    assert_true(c.s3.result.attempts > 1);

    call_init(&c, S3_HEAD); /* the next fails at once, and says the same */
    call_run(&c, e, context);
    assert_int_equal(c.s3.result.error, -EIO);
    assert_int_equal(c.s3.result.attempts, 0);
    assert_non_null(strstr(c.s3.result.why, "left alone"));
    assert_non_null(strstr(c.s3.result.why, "refused"));
    assert_non_null(strstr(c.s3.result.why, "AWS_ENDPOINT_URL_S3"));

    struct s3_context *other = context_for(authority, false); /* other credentials, same place */
    call_init(&c, S3_GET);
    call_run(&c, e, other);
    assert_int_equal(c.s3.result.attempts, 0);

    struct fake_server *alive = FAKE_START(steps); /* another endpoint is not concerned */
    struct s3_context *elsewhere = context_for(alive->url + strlen("http://"), true);
    call_init(&c, S3_GET);
    call_run(&c, e, elsewhere);
    assert_int_equal(c.s3.result.error, 0);

    http_engine_free(e);
    s3_context_unref(context);
    s3_context_unref(other);
    s3_context_unref(elsewhere);
    fake_stop(alive);
    fake_free(alive);
}

/* ---- access ---- */

static void test_requester_pays_and_customer_keys(void **unused)
{
    (void)unused;
    static const struct fake_step steps[] = {{GOOD, FAKE_KEEP}};
    struct fake_server *server = FAKE_START(steps);
    struct http_engine *e = http_engine_new(1);
    struct s3_access access = {.requester_pays = true, .has_sse_c_key = true};
    memset(access.sse_c_key, 'k', sizeof(access.sse_c_key));
    struct s3_endpoint endpoint = {.scheme = strdup("http"),
                                   .authority = strdup(server->url + strlen("http://")),
                                   .base_path = strdup(""),
                                   .region = strdup("us-east-1"),
                                   .style = S3_STYLE_PATH};
    struct credentials c = {.access_key = strdup("AKID"), .secret_key = strdup("secret")};
    struct keyring *keyring = keyring_of(&c);
    struct s3_context *context = s3_context_make(&endpoint, keyring, &access);
    keyring_unref(keyring);
    struct call call;
    call_init(&call, S3_GET);
    call_run(&call, e, context);
    struct call list;
    call_init(&list, S3_LIST);
    list.s3.deadline_ms = 1000;
    call_run(&list, e, context);
    http_engine_free(e);
    s3_context_unref(context);
    fake_stop(server);
    const char *sent = server->requests[0];
    assert_int_equal(call.s3.result.error, 0);
    /* A listing is encrypted with nobody's key: it is not sent where it isn't needed. */
    assert_non_null(strstr(server->requests[1], "list-type=2"));
    assert_non_null(strstr(server->requests[1], "x-amz-request-payer: requester\r\n"));
    assert_null(strstr(server->requests[1], "customer-key"));
    assert_non_null(strstr(sent, "x-amz-request-payer: requester\r\n"));
    assert_non_null(strstr(sent, "x-amz-server-side-encryption-customer-algorithm: AES256\r\n"));
    assert_non_null(strstr(sent, "-customer-key: "
                                 "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\r\n"));
    assert_non_null(strstr(sent, "-customer-key-MD5: mT2HRsMGJ5IX5C+0rreZ8Q==\r\n"));
    assert_non_null(strstr(sent, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
                                 "x-amz-request-payer;x-amz-server-side-encryption-customer-"
                                 "algorithm;x-amz-server-side-encryption-customer-key;x-amz-server-"
                                 "side-encryption-customer-key-md5,"));
    fake_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket_in_another_region),
        cmocka_unit_test(test_a_redirect_to_another_host),
        cmocka_unit_test(test_a_redirect_by_the_document),
        cmocka_unit_test(test_redirects_without_end),
        cmocka_unit_test(test_redirects_that_lead_nowhere),
        cmocka_unit_test(test_keys_that_expired),
        cmocka_unit_test(test_the_version_that_was_opened),
        cmocka_unit_test(test_version_ids_are_told),
        cmocka_unit_test(test_a_dead_endpoint_is_left_alone),
        cmocka_unit_test(test_requester_pays_and_customer_keys),
    };
    return cmocka_run_group_tests_name("s3_mend", tests, NULL, NULL);
}
