/* A real file with an object's content, for what can't do with less. */
#ifndef WARMPATH_PRELOAD_MATERIALISE_H
#define WARMPATH_PRELOAD_MATERIALISE_H

#include "preload/file.h"

/* Reads the whole object into a file without a name, in $TMPDIR or /tmp. A read-only-use descriptor
 * at offset 0, close-on-exec, or -errno. */
int materialise(const struct target *t);
/* The same for an object that is open: the version that was opened. */
int materialise_file(struct file *f);

/* Writes the object's content to a real file, whose offset is then 0. 0 or -errno. */
int materialise_copy(struct file *f, int to);

#endif
