/* Where a path leads that the kernel lost: a symbolic link on the local disk may point into a
 * mapping, and a directory may exist only because a mapping lies below it.
 *
 * Asked only after the kernel said no, so that paths which it knows cost nothing. A path without a
 * symbolic link costs one more system call then; one with links, a call for each component. */
#ifndef WARMPATH_PRELOAD_FOLLOW_H
#define WARMPATH_PRELOAD_FOLLOW_H

#include <errno.h>

#include "preload/target.h"

/* Are there mappings, and is this errno what the kernel says of a path that it lost? */
static inline bool follow_may_help(int error)
{
    return state.active && (error == ENOENT || error == EACCES);
}

/* 1: it leads into a mapping, or to a directory above one (`bare`); `t` is filled. 0: it doesn't;
 * errno is as it was. Negative: ours, but -ENAMETOOLONG or the like. Of `flags` only
 * AT_SYMLINK_NOFOLLOW counts: a link at the path's end is itself what is meant. */
int follow_find(int at, const char *path, int flags, struct target *t);

/* The same before the kernel is asked, for calls that would change something: where it has a
 * directory that a mapping hides, it would change that. 0 without a look where nothing is hidden.
 */
int follow_first(int at, const char *path, int flags, struct target *t);

#endif
