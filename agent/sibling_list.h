/* Learns the names of a directory's files by a list request that no job sent. Loop thread only. */
#ifndef WARMPATH_AGENT_SIBLING_LIST_H
#define WARMPATH_AGENT_SIBLING_LIST_H

#include "agent/siblings.h"

/* Asks for one page: after the name `start_after` (NULL: from the beginning), or the page of
 * `token`. It goes to siblings_page() and, for stat and opens, to agent/meta. Then `ended`, perhaps
 * before this returns; `fine`: the page is there. order->name is the directory ("dir/"). */
void sibling_list_start(const struct guess_order *order, const char *start_after, const char *token,
                        void (*ended)(const struct guess_order *order, bool fine));

#endif
