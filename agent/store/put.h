/* A block that is here as a whole goes to the store by one job of the disk's (made, written and
 * published), and nobody waits for it: small files in their thousands. */
#ifndef WARMPATH_AGENT_STORE_PUT_H
#define WARMPATH_AGENT_STORE_PUT_H

#include "agent/store/store.h"

/* `fd`: a read-only descriptor of the block, the callee's; of memory where the disk is full, fails
 * or is stalled; -errno when there is none. `found`: the store had it before, and `fd` is -1. */
typedef void store_put_done(void *user, int fd, bool found);

/* `data` are the block's bytes, at the beginning of a buffer of agent/store/buffer.h, which stay
 * until `done` was called: by any thread, perhaps at once, and at the latest when the disk's
 * patience is over and its watch came by. Any thread. */
void store_put(struct store *s, const struct version *v, uint64_t index, const char *data,
               store_put_done *done, void *user);

#endif
