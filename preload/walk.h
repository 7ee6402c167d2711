/* Walks through directory trees: which of them libc may do by itself.
 *
 * libc's walkers call each other inside libc, so a walk that may meet a mapping is one of our own
 * (hook_ftw.c, hook_fts.c), made of the hooks for directories and stat. */
#ifndef WARMPATH_PRELOAD_WALK_H
#define WARMPATH_PRELOAD_WALK_H

#include <stdbool.h>

/* May a walk from here come to what is mapped? One that follows links may always. */
bool walk_is_ours(const char *path, bool follows_links);

#endif
