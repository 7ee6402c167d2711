/* A store in a directory of its own, for the length of a test. */
#ifndef WARMPATH_TESTS_TEMP_STORE_H
#define WARMPATH_TESTS_TEMP_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/store/store.h"

static char dir[64];
static struct store *store;

static inline int open_store(void **state)
{
    char why[512];
    (void)state;
    strcpy(dir, "/tmp/wp-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    store = store_open(dir, why, sizeof(why));
    return store ? 0 : -1;
}

static inline int close_store(void **state)
{
    char command[128];
    (void)state;
    store_close(store);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

#endif
