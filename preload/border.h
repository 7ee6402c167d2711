/* Where a mapping begins below a directory of the local disk.
 *
 * The kernel's directory need not hold an entry of the mapping's name: listings get it from here. A
 * directory that a mapping hides can be reached by the kernel through a symbolic link: it is known
 * by its inode. Local directories are looked at once, when the process starts. */
#ifndef WARMPATH_PRELOAD_BORDER_H
#define WARMPATH_PRELOAD_BORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/target.h"

void border_init(void);

/* What the i-th mapping shows in a directory above it: the next part of its prefix, not terminated.
 * False where it lies elsewhere, or an earlier mapping shows the same. */
bool border_name(const char *dir, size_t dir_len, int i, const char **name, size_t *len);

enum border_kind {
    BORDER_NONE,
    BORDER_ABOVE,  /* names of mappings belong into its listing */
    BORDER_HIDDEN, /* a mapping lies over it */
};

/* What is the open local directory `fd`? Its path, where it is one of ours to know. */
enum border_kind border_of(int fd, const char **path, size_t *len);

/* Does a mapping lie over a directory that the kernel has? */
bool border_hides(void);

/* A target for what a mapping shows in a directory: its root, or a bare directory above it. */
int border_target(struct target *t, const char *dir, size_t dir_len, const char *name, size_t len);

#endif
