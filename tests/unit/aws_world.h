/* A home directory with AWS files and a job's environment that points to it. For
 * test_credentials*.c. */
#ifndef WARMPATH_TESTS_AWS_WORLD_H
#define WARMPATH_TESTS_AWS_WORLD_H

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

#define MAX_VARS 16

/* A home directory of its own, and a job's environment that points to it. */
struct world {
    char home[64];
    char home_var[80];
    char pwd_var[80];
    const char *vars[MAX_VARS + 4];
    struct aws_env env;
};

static inline void write_file(const struct world *w, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", w->home, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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
static inline void set_env(struct world *w, ...)
{
    va_list args;
    size_t n = 0;
    w->vars[n++] = w->home_var;
    w->vars[n++] = w->pwd_var;
    w->vars[n++] = "AWS_EC2_METADATA_DISABLED=true";
    va_start(args, w);
    while ((w->vars[n] = va_arg(args, const char *)))
        assert_true(++n < MAX_VARS + 3);
    va_end(args);
}

#endif
