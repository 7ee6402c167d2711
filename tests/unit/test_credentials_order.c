/* Credentials are taken from the first place in order that has some, or that claims to. */
#include "tests/unit/aws_world.h"

#include <errno.h>

#include "common/clock.h"
#include "tests/unit/fake_server.h"

#define INSTANCE_ANSWER(length, body)                                                              \
    {                                                                                              \
        "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" body, FAKE_KEEP                    \
    }

/* From the place that comes first to the one that comes last. Places that would have to be waited
 * for are configured so that they fail, each with words of its own. */
enum { UNSIGNED, ENVIRONMENT, ROLE, WEB, SSO, KEYS, PROCESS, CONFIG, CONTAINER, INSTANCE, PLACES };

struct place {
    const char *vars[2];
    const char *config;      /* of the profile, in the config file */
    const char *credentials; /* the same in the credentials file */
    const char *key;         /* what it gives, "" for none; NULL: */
    const char *words;       /* of its refusal */
};

static char instance_var[128]; /* names a fake */

static const struct place places[PLACES] = {
    [UNSIGNED] = {.vars = {"AWS_NO_SIGN_REQUEST=true"}, .key = ""},
    [ENVIRONMENT] = {.vars = {"AWS_ACCESS_KEY_ID=ENV", "AWS_SECRET_ACCESS_KEY=x"}, .key = "ENV"},
    [ROLE] = {.config = "role_arn = arn:a\nsource_profile = base\n",
              .words = "STS does not answer"},
    [WEB] = {.vars = {"AWS_WEB_IDENTITY_TOKEN_FILE=/none/token", "AWS_ROLE_ARN=arn:b"},
             .words = "/none/token"},
    [SSO] = {.config = "sso_session = corp\n", .words = "IAM Identity Center"},
    [KEYS] = {.credentials = "aws_access_key_id = KEYS\naws_secret_access_key = x\n",
              .key = "KEYS"},
    [PROCESS] = {.config = "credential_process = echo "
                           "'{\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"x\"}'\n",
                 .key = "PROCESS"},
    [CONFIG] = {.config = "aws_access_key_id = CONFIG\naws_secret_access_key = x\n",
                .key = "CONFIG"},
    [CONTAINER] = {.vars = {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1/"},
                   .words = "the container's credential endpoint does not answer"},
    [INSTANCE] = {.vars = {instance_var}, .key = "INSTANCE"},
};

/* The places from `first` on, and none before. */
static void arrange(struct world *w, int first)
{
    char config[1024] = "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = x\n"
                        "[default]\n",
         credentials[256] = "[default]\n";
    size_t n = 0;
    w->vars[n++] = w->home_var;
    w->vars[n++] = "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1";
    for (int i = first; i < PLACES; i++) {
        const struct place *p = &places[i];
        for (size_t v = 0; v < 2 && p->vars[v]; v++)
            w->vars[n++] = p->vars[v];
        strcat(config, p->config ? p->config : "");
        strcat(credentials, p->credentials ? p->credentials : "");
    }
    w->vars[n] = NULL;
    assert_true(n < sizeof(w->vars) / sizeof(w->vars[0]));
    write_file(w, ".aws/config", config);
    write_file(w, ".aws/credentials", credentials);
}

static void test_the_first_place_counts(void **state)
{
    static const struct fake_step instance[] = {
        INSTANCE_ANSWER("5", "token"), INSTANCE_ANSWER("4", "role"),
        INSTANCE_ANSWER("48", "{\"AccessKeyId\":\"INSTANCE\",\"SecretAccessKey\":\"x\"}")};
    struct world *w = *state;
    struct fake_server *s = FAKE_START(instance);
    snprintf(instance_var, sizeof(instance_var), "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", s->url);
    for (int first = 0; first < PLACES; first++) {
        const struct place *p = &places[first];
        const struct credentials_patience patience = {.until_ms = clock_monotonic_ms() + 5000};
        struct credentials c;
        char why[512] = "";
        arrange(w, first);
        int error = credentials_resolve(&w->env, &patience, &c, why, sizeof(why));
        if (p->key ? error || strcmp(c.access_key ? c.access_key : "", p->key) != 0
                   : error != -EACCES || !strstr(why, p->words))
            fail_msg("place %d: %d, key %s, \"%s\"", first, error,
                     c.access_key ? c.access_key : "(none)", why);
        credentials_clear(&c);
    }
    fake_stop(s);
    assert_int_equal(s->n_requests, 3);
    fake_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_place_counts, setup, teardown),
    };
    return cmocka_run_group_tests_name("credentials_order", tests, NULL, NULL);
}
