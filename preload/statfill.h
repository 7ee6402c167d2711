/* What stat says of a mapped name. */
#ifndef WARMPATH_PRELOAD_STATFILL_H
#define WARMPATH_PRELOAD_STATFILL_H

#include <stdint.h>
#include <sys/stat.h>

#include "preload/target.h"

/* `kind` is an enum wire_kind. Inode and device stay the same for a name, whether it is cached or
 * not. */
void statfill(struct stat *st, const struct target *t, uint8_t kind, uint64_t size_bytes,
              int64_t mtime_s);

uint64_t statfill_inode(const struct mapping *m, const char *key, size_t key_len);

#endif
