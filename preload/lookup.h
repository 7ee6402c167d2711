/* Names without opening them. */
#ifndef WARMPATH_PRELOAD_LOOKUP_H
#define WARMPATH_PRELOAD_LOOKUP_H

#include <sys/stat.h>

#include "preload/target.h"

/* 0 or -errno. */
int lookup_stat(const struct target *t, struct stat *st);

/* What to say of a name that S3 doesn't have: -ENAMETOOLONG where no file system could have it,
 * else -ENOENT, or whatever is wrong with the way to it. */
int lookup_missing(const struct target *t);

/* access(2): 0 or -errno. */
int lookup_access(const struct target *t, int mode);

/* 0 when it is a directory, else -ENOTDIR, -ENOENT, … */
int lookup_directory(const struct target *t);

/* POSIX goes up from a directory only: "file/.." is -ENOTDIR, "missing/.." -ENOENT. Looks at each
 * name below a mapping that this path leaves upwards. 0 or -errno. */
int lookup_climbs(int at, const char *path);

#endif
