#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/keyring.h"
#include "policy/freshness.h"

/* A home whose credential_process is a script of the test's; it notes each run in `runs`. */
struct home {
    char dir[64];
    char vars[5][128];
    const char *env[6];
};

static void write_text(const struct home *h, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", h->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void script(const struct home *h, const char *body)
{
    char text[1024];
    snprintf(text, sizeof(text), "cd %s; echo run >>runs; %s\n", h->dir, body);
    write_text(h, "script", text);
}

static int runs(const struct home *h)
{
    char path[128], line[16];
    int n = 0;
    snprintf(path, sizeof(path), "%s/runs", h->dir);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        n++;
    if (f)
        fclose(f);
    return n;
}

static int setup(void **state)
{
    struct home *h = calloc(1, sizeof(*h));
    char text[256];
    strcpy(h->dir, "/tmp/warmpath-keys-XXXXXX");
    if (!mkdtemp(h->dir))
        return -1;
    snprintf(h->vars[0], sizeof(h->vars[0]), "HOME=%s", h->dir);
    snprintf(h->vars[1], sizeof(h->vars[1]), "AWS_CONFIG_FILE=%s/config", h->dir);
    snprintf(h->vars[2], sizeof(h->vars[2]), "AWS_SHARED_CREDENTIALS_FILE=%s/none", h->dir);
    snprintf(h->vars[3], sizeof(h->vars[3]), "AWS_EC2_METADATA_DISABLED=true");
    for (int i = 0; i < 4; i++)
        h->env[i] = h->vars[i];
    snprintf(text, sizeof(text), "[default]\ncredential_process = sh %s/script\n", h->dir);
    write_text(h, "config", text);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct home *h = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", h->dir);
    int failed = system(command);
    free(h);
    return failed;
}

/* Keys, however long it takes. */
struct wanted {
    struct keyring_waiter waiter;
    sem_t ready;
};

static void on_ready(struct keyring_waiter *w)
{
    sem_post(&((struct wanted *)(void *)w)->ready);
}

static int get(struct keyring *k, struct keys **keys, char *why, size_t size)
{
    for (;;) {
        struct wanted w = {.waiter.ready = on_ready};
        sem_init(&w.ready, 0, 0);
        int error = keyring_get(k, &w.waiter, keys, why, size);
        if (error != -EINPROGRESS)
            return error;
        while (sem_wait(&w.ready) != 0)
            ;
    }
}

static void expect(struct keyring *k, const char *access_key)
{
    struct keys *keys;
    char why[384] = "";
    if (get(k, &keys, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    assert_string_equal(keys->credentials.access_key, access_key);
    keys_unref(keys);
}

#define JSON_FORMAT                                                                                \
    "printf '{\"Version\":1,\"AccessKeyId\":\"K%%s\",\"SecretAccessKey\":\"s\","                   \
    "\"SessionToken\":\"t\",\"Expiration\":\"%%s\"}' $(wc -l <runs) $(date -u -d '%s' "            \
    "+%%Y-%%m-%%dT%%H:%%M:%%SZ)"

static void keys_until(const struct home *h, const char *before, const char *when)
{
    char body[512], json[384];
    snprintf(json, sizeof(json), JSON_FORMAT, when);
    snprintf(body, sizeof(body), "%s %s", before, json);
    script(h, body);
}

static void *get_in_thread(void *user)
{
    expect(user, "K1");
    return NULL;
}

static void test_many_ask_once(void **state)
{
    struct home *h = *state;
    pthread_t threads[16];
    char why[384] = "";
    keys_until(h, "sleep 0.3;", "+1 hour");
    struct keyring *k = keyring_new(h->env, 10000);
    assert_int_equal(keyring_check(k, why, sizeof(why)), 0);
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, get_in_thread, k);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(runs(h), 1);
    keyring_unref(k);
}

/* Near their end keys are renewed behind the reader, who never waits for that: K1 until the moment
 * that K2 is there. */
static void test_renewed_behind(void **state)
{
    struct home *h = *state;
    keys_until(h, "", "+5 seconds");
    struct keyring *k = keyring_new(h->env, 10000);
    expect(k, "K1");
    keys_until(h, "sleep 0.5;", "+1 hour");
    struct keys *keys;
    struct keyring_waiter waiter = {.ready = on_ready};
    char why[384];
    int meanwhile = 0;
    for (bool renewed = false; !renewed;) {
        assert_int_equal(keyring_get(k, &waiter, &keys, why, sizeof(why)), 0);
        renewed = strcmp(keys->credentials.access_key, "K2") == 0;
        meanwhile += !renewed && runs(h) == 2;
        keys_unref(keys);
        poll(NULL, 0, 10);
    }
    assert_true(meanwhile > 5);
    assert_int_equal(runs(h), 2);
    keyring_unref(k);
}

static void test_a_failed_renewal_keeps_the_old(void **state)
{
    struct home *h = *state;
    keys_until(h, "", "+3 seconds");
    struct keyring *k = keyring_new(h->env, 10000);
    expect(k, "K1");
    script(h, "exit 1");
    struct keys *keys;
    char why[384] = "";
    int error = 0, good = 0;
    for (int i = 0; i < 1000 && !error; i++) {
        error = get(k, &keys, why, sizeof(why));
        if (!error)
            keys_unref(keys);
        good += !error;
        poll(NULL, 0, 10);
    }
    assert_true(good > 10);
    assert_true(runs(h) > 1); /* it was tried while K1 still held */
    assert_int_equal(error, -EACCES);
    assert_non_null(strstr(why, "exit status 1"));
    int before = runs(h);
    for (int i = 0; i < 20; i++) /* and is not tried for each request */
        assert_int_equal(get(k, &keys, why, sizeof(why)), -EACCES);
    assert_true(runs(h) <= before + 1);
    keyring_unref(k);
}

static void test_refused_keys_are_renewed_once(void **state)
{
    struct home *h = *state;
    struct keys *first, *again;
    char why[384];
    keys_until(h, "", "+1 hour");
    struct keyring *k = keyring_new(h->env, 10000);
    assert_int_equal(get(k, &first, why, sizeof(why)), 0);
    assert_false(keyring_refused(k, first)); /* they are seconds old: S3 means something else */
    poll(NULL, 0, 1100);
    assert_true(keyring_refused(k, first));
    assert_true(keyring_refused(k, first)); /* a second request that was under way */
    expect(k, "K2");
    assert_true(keyring_refused(k, first)); /* a third: newer ones are there */
    assert_true(keyring_newer(k, first));
    assert_int_equal(get(k, &again, why, sizeof(why)), 0);
    assert_int_equal(runs(h), 2);
    keys_unref(first);
    keys_unref(again);
    keyring_unref(k);
}

static void test_static_keys_stay(void **unused)
{
    (void)unused;
    struct credentials c = {.access_key = strdup("A"), .secret_key = strdup("B"), .expires_s = 1};
    struct keyring *k = keyring_of(&c);
    struct keys *keys;
    char why[384];
    expect(k, "A");
    assert_int_equal(get(k, &keys, why, sizeof(why)), 0);
    assert_false(keyring_refused(k, keys));
    keys_unref(keys);
    keyring_unref(k);
}

/* The agent ends: who waits is told, the program that was asked is killed. Nothing is renewed
 * afterwards, so this comes last. */
static void test_the_agents_end(void **state)
{
    struct home *h = *state;
    struct keys *keys;
    char why[384] = "";
    script(h, "exec sleep 60");
    struct keyring *k = keyring_new(h->env, 120000);
    struct wanted w = {.waiter.ready = on_ready};
    sem_init(&w.ready, 0, 0);
    assert_int_equal(keyring_get(k, &w.waiter, &keys, why, sizeof(why)), -EINPROGRESS);
    while (runs(h) == 0)
        poll(NULL, 0, 10);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    keyrings_stop();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 0, 5);
    assert_int_equal(sem_trywait(&w.ready), 0);
    assert_int_equal(get(k, &keys, why, sizeof(why)), -ECANCELED);
    keyring_unref(k);
}

/* ---- policy ---- */

struct freshness_row {
    struct freshness_state state;
    enum freshness want;
};

static void test_when_to_renew(void **unused)
{
    (void)unused;
    static const int64_t hour = 3600000, minute = 60000;
    const struct freshness_row rows[] = {
        {{.now_ms = 1}, FRESHNESS_WAIT},
        {{.now_ms = 1000, .failed_ms = 900}, FRESHNESS_FAIL},
        {{.now_ms = 9000, .failed_ms = 900}, FRESHNESS_WAIT},
        {{.have = true, .obtained_ms = 1, .now_ms = 50 * hour}, FRESHNESS_USE},
        {{.have = true, .refused = true, .obtained_ms = 1, .now_ms = 5}, FRESHNESS_WAIT},
        {{.have = true, .from_file = true, .obtained_ms = 1, .now_ms = 2 * minute},
         FRESHNESS_RENEW},
        {{.have = true, .from_file = true, .obtained_ms = 1, .now_ms = minute / 2}, FRESHNESS_USE},
        /* an hour: in its last quarter */
        {{.have = true, .obtained_ms = 1, .expires_ms = hour, .now_ms = 44 * minute},
         FRESHNESS_USE},
        {{.have = true, .obtained_ms = 1, .expires_ms = hour, .now_ms = 46 * minute},
         FRESHNESS_RENEW},
        {{.have = true,
          .obtained_ms = 1,
          .expires_ms = hour,
          .now_ms = 46 * minute,
          .failed_ms = 46 * minute - 1000},
         FRESHNESS_USE},
        {{.have = true,
          .obtained_ms = 1,
          .expires_ms = hour,
          .now_ms = 47 * minute,
          .failed_ms = 46 * minute},
         FRESHNESS_RENEW},
        {{.have = true, .obtained_ms = 1, .expires_ms = hour, .now_ms = hour}, FRESHNESS_WAIT},
        {{.have = true,
          .obtained_ms = 1,
          .expires_ms = hour,
          .now_ms = hour,
          .failed_ms = hour - 1000},
         FRESHNESS_FAIL},
        /* twelve hours: a quarter of an hour before the end */
        {{.have = true,
          .obtained_ms = 1,
          .expires_ms = 12 * hour,
          .now_ms = 12 * hour - 16 * minute},
         FRESHNESS_USE},
        {{.have = true,
          .obtained_ms = 1,
          .expires_ms = 12 * hour,
          .now_ms = 12 * hour - 14 * minute},
         FRESHNESS_RENEW},
        /* came expired: only S3 can tell */
        {{.have = true, .obtained_ms = hour, .expires_ms = hour - 5, .now_ms = hour + 1000},
         FRESHNESS_USE},
        {{.have = true, .obtained_ms = hour, .expires_ms = hour - 5, .now_ms = hour + minute},
         FRESHNESS_WAIT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (freshness_judge(&rows[i].state) != rows[i].want)
            fail_msg("row %zu: %d", i, (int)freshness_judge(&rows[i].state));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when_to_renew),
        cmocka_unit_test(test_static_keys_stay),
        TEST(test_many_ask_once),
        TEST(test_renewed_behind),
        TEST(test_a_failed_renewal_keeps_the_old),
        TEST(test_refused_keys_are_renewed_once),
        TEST(test_the_agents_end),
    };
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
