/* Closed files that are kept for the next open of the same name: no round trip to the agent, no
 * new placeholder, and the block is still mapped. For small files (one block) of this process
 * alone, as long as the agent would answer the open from memory (WARMPATH_META_TTL). Lock-free. */
#ifndef WARMPATH_PRELOAD_KEEP_H
#define WARMPATH_PRELOAD_KEEP_H

#include <stdbool.h>

#include "preload/file.h"

/* The file opened under that name before, with one reference, or NULL. Its `kept_fd` is a
 * descriptor of its placeholder. */
struct file *keep_take(const struct target *t);

/* The job closes `fd`: if that is the last descriptor of a file worth keeping, keeps the
 * placeholder open. Before fdtab_drop(); not in a vfork child, whose parent has it open. */
void keep_before_close(int fd);

/* The last reference is gone: takes the file over if it was prepared for that. */
bool keep_put(struct file *f);

/* The clock of file.fresh_until_ms. */
int64_t keep_now_ms(void);

/* In a forked child: what its parent kept stays the parent's. `closed`: the library's own
 * descriptors are closed already. */
void keep_forget(bool closed);

#endif
