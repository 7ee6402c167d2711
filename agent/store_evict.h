/* Room in the store: counting what is there, evicting, and complaining about a full disk.
 * A thread of the store's own; nothing here blocks a reader. */
#ifndef WARMPATH_AGENT_STORE_EVICT_H
#define WARMPATH_AGENT_STORE_EVICT_H

#include "agent/store.h"

/* The thread's body: counts once, then evicts whenever asked, until the store closes. */
void store_evict_run(struct store *s);

/* Wakes the thread when the store or its disk is full. Cheap; before each new block. */
void store_make_room(struct store *s);

/* One line a minute about a disk that takes no more. `error` is an errno. */
void store_complain(struct store *s, int error);

#endif
