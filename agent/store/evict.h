/* Room in the store: counting what is there, evicting, and complaining about a full disk.
 * A thread of the store's own; nothing here blocks a reader. */
#ifndef WARMPATH_AGENT_STORE_EVICT_H
#define WARMPATH_AGENT_STORE_EVICT_H

#include "agent/store/store.h"

/* The thread's body: counts once, then evicts whenever asked, until the store closes. */
void store_evict_run(struct store *s);

/* Is it about to be evicted? The watcher was told, or is being told, that it leaves. */
bool store_is_leaving(struct store *s, const struct store_place *place);

/* Wakes the thread when the store or its disk is full. Cheap; before each new block. */
void store_make_room(struct store *s);

/* The disk failed with `error`, an errno: one line a minute. Where it is full, for this user at
 * least, blocks are evicted, whatever the numbers say, and it is left alone for a while. */
void store_refused(struct store *s, int error);
/* Was it full within the last ten seconds? It may have taken a block in between. */
bool store_was_full_lately(struct store *s);
/* It took a block. */
void store_took(struct store *s);
/* Is it worth trying? While it is full, for one caller a second. */
bool store_may_try(struct store *s);

#endif
