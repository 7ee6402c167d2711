/* The search for a program in PATH, as libc does it; libc's own does not see mapped directories. */
#ifndef WARMPATH_PRELOAD_SEARCH_H
#define WARMPATH_PRELOAD_SEARCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *search_path(void)
{
    const char *path = getenv("PATH");
    return path ? path : "/bin:/usr/bin";
}

/* The next candidate for `name`; `*rest` moves on, NULL after the last. False: does not fit. */
static inline bool search_next(const char **rest, const char *name, char out[PATH_MAX])
{
    size_t len = strcspn(*rest, ":");
    const char *dir = *rest;
    *rest = dir[len] ? dir + len + 1 : NULL;
    int n = snprintf(out, PATH_MAX, "%.*s%s%s", (int)len, dir, len ? "/" : "", name);
    return n > 0 && n < PATH_MAX;
}

#endif
