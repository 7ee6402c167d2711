/* A real file with an object's content, for what can't do with less. */
#ifndef WARMPATH_PRELOAD_MATERIALISE_H
#define WARMPATH_PRELOAD_MATERIALISE_H

#include "preload/target.h"

/* Reads the whole object into a file without a name, in $TMPDIR or /tmp. A read-only-use descriptor
 * at offset 0, close-on-exec, or -errno. */
int materialise(const struct target *t);

#endif
