/* The libraries that a mapped program or library needs and that lie under a mapping too: copied
 * beside its copy, where the loader looks for what is named with $ORIGIN. */
#ifndef WARMPATH_PRELOAD_NEEDED_H
#define WARMPATH_PRELOAD_NEEDED_H

#include "preload/target.h"

/* Copies what the ELF file at `t` needs, and what that needs. The file itself has its copy already.
 * Then calls `missed` (unless NULL) for each library that the loader won't find by itself (its
 * directory is in LD_LIBRARY_PATH or in an absolute search path), those that are needed first.
 * `library_path` is what LD_LIBRARY_PATH says, or NULL.
 * What can't be found or copied is left to the loader's own complaint. Safe in a vfork child. */
void needed_copy(const struct target *t, const char *library_path,
                 void (*missed)(void *user, const char *copy), void *user);

/* A library's name without a slash, looked for as the loader would for the mapped library `caller`
 * (NULL: for a local one, so in LD_LIBRARY_PATH alone). 1 and its target when a mapped directory
 * has it and none before has it locally, else 0. */
int needed_find(const struct target *caller, const char *name, struct target *found);

#endif
