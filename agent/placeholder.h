/* Placeholders: the kernel descriptors that stand for open mapped files in a job.
 *
 * A write-only, sealed memfd of the object's size: fstat from code that the library does not see
 * says "regular file, so many bytes", but read, write and mmap fail; dup, fork and exec keep it,
 * with an offset of its own. Its name says which content it stands for, so that a process that was
 * given one by exec finds out. Loop thread only. */
#ifndef WARMPATH_AGENT_PLACEHOLDER_H
#define WARMPATH_AGENT_PLACEHOLDER_H

#include "agent/store/version.h"

/* A new open file description, owned by the caller, or -errno. */
int placeholder_open(const struct version *v, int64_t mtime_s);

#endif
