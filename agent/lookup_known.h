/* What a look-up needs no request for: answers from what S3 said before (agent/meta), also those
 * that lookup.h promises. For lookup.c, which asks where this doesn't do. Loop thread only. */
#ifndef WARMPATH_AGENT_LOOKUP_KNOWN_H
#define WARMPATH_AGENT_LOOKUP_KNOWN_H

#include "agent/lookup.h"

#define LOOKUP_PARENT_MAX (WIRE_KEY_MAX + 2)

/* Wakes `w` where `m` (what is known of the name, or NULL) is fresh enough to answer. Else false.
 */
bool lookup_answer_known(const struct lookup_request *q, const struct meta *m,
                         struct lookup_waiter *w);

/* Is it known whether something above the name is an object, below which there can be nothing?
 * `parent` is what to ask S3 about where it isn't. */
bool lookup_parent_known(struct context *context, const struct lookup_name *name,
                         char parent[LOOKUP_PARENT_MAX], bool *is_file);

#endif
