/* Is this path ours, and what does it stand for? */
#ifndef WARMPATH_PRELOAD_TARGET_H
#define WARMPATH_PRELOAD_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/wire.h"
#include "preload/state.h"

struct target {
    const struct mapping *mapping;
    bool must_be_dir; /* the path ended in a slash */
    bool bare;        /* no object: a directory above a mapping that the kernel does not have */
    bool descriptor;  /* the path was a descriptor's name in /proc or /dev: a link to `path` */
    size_t path_len;
    size_t key_len;
    char path[PATH_MAX + 1];    /* absolute, normalised, as the job sees it */
    char key[WIRE_KEY_MAX + 1]; /* in the bucket; "" for its root */
};

/* 1: mapped, `t` is filled. 0: not ours, leave it to libc; `*path` may now point into `t`, to where
 * a way through a mapping leads. Negative: ours, but -ENAMETOOLONG or the like. `at` as for
 * openat(). */
int target_find(int at, const char **path, struct target *t);

/* Does a mapping lie below this path? Such a directory need not exist for the kernel: asked when
 * the kernel said ENOENT. Fills `t` with its path. */
bool target_is_ancestor(int at, const char *path, struct target *t);
int target_set_bare(struct target *t, const char *path, size_t len);

/* The absolute path of the directory that a relative path starts from; "/" for the root. Its
 * length, or -errno. */
ssize_t target_base(int at, char *out, size_t size);

/* Fills `t` from a normalised absolute path under a mapping. */
int target_set(struct target *t, const struct mapping *m, const char *path, size_t len);

#endif
