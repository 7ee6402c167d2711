/* What the C cases share: paths below the tree, digests, errno names. Each case gets the
 * tree's directory as its one argument and prints what it finds. */
#ifndef CASE_H
#define CASE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *tree;

/* A path below the tree. Good until the fourth call after it. */
static inline const char *at(const char *name)
{
    static _Thread_local char paths[4][4096];
    static _Thread_local int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", tree, name);
    return path;
}

/* FNV-1a, so that long data shows as one number. */
static inline uint64_t digest(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static inline void show(const char *what, const void *data, ssize_t len)
{
    if (len < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %zd %016llx\n", what, len, (unsigned long long)digest(data, (size_t)len));
}

static inline const char *result(long r)
{
    return r >= 0 ? "ok" : strerrorname_np(errno);
}

static inline int must_open(const char *name)
{
    int fd = open(at(name), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        printf("open %s: %s\n", name, strerrorname_np(errno));
        exit(1);
    }
    return fd;
}

#endif
