/* A block's file as it is on the disk: is it there, may it be trusted, when was it used? Done by
 * the disk's threads; results as in agent/store/jobs.h. Any thread. */
#ifndef WARMPATH_AGENT_STORE_LOOK_H
#define WARMPATH_AGENT_STORE_LOOK_H

#include <sys/stat.h>

#include "agent/store/store.h"

/* Must it be verified before it is used? */
bool store_is_suspect(const struct store *s, const struct stat *st);

/* Opens a block's file and verifies it where that is needed (`verify`; else is it there?). 0 and
 * the descriptor, or -ENOENT. */
int store_look(struct store *s, const struct version *v, uint64_t index, bool verify, int *fd);

/* The same at once, by a thread that may wait for the disk. The caller closes `fd`, unless it is
 * -1, whatever this returns. */
int store_look_now(struct store *s, const struct version *v, uint64_t index, bool verify, int *fd);

/* Notes that a block was used now. Not while the disk is stalled. */
void store_touch(struct store *s, const struct version *v, uint64_t index);

#endif
