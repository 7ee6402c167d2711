/* This node as one of a cluster: its name, the index, what is announced there, and how it looks for
 * people. Without WARMPATH_REDIS there is none, and `struct agent.cluster` is NULL; all functions
 * may be called all the same. Loop thread only. */
#ifndef WARMPATH_AGENT_CLUSTER_H
#define WARMPATH_AGENT_CLUSTER_H

#include <jansson.h>
#include <stdbool.h>

#include "agent/agent.h"
#include "agent/store/version.h"
#include "fetch/index.h"
#include "fetch/peer.h"

/* Reads the options and joins. NULL when there is no cluster, or when an option is no good, which
 * the log then says: the node stands alone. */
struct cluster *cluster_start(struct store *store);
/* Leaves; the store must still be there. */
void cluster_stop(struct cluster *c);

/* Is it worth finding out an object's version before fetching any of it? */
bool cluster_shares(const struct agent *a);

/* A job opened it: who holds its blocks? */
void cluster_opened(const struct agent *a, const struct version *v);

/* Is it worth looking for the whole block elsewhere: is it known to be there, or isn't it known? */
bool cluster_may_hold(const struct agent *a, const struct version *v, uint64_t index);

/* Other nodes that are known to have it, of those that index_readers() tells of. */
size_t cluster_holders(const struct agent *a, const struct version *v, uint64_t index);

/* This node's id. */
uint64_t cluster_node(const struct cluster *c);

struct index *cluster_index(const struct cluster *c);
const struct peer_access *cluster_access(const struct cluster *c);

/* For `status`; NULL without a cluster. */
json_t *cluster_status(const struct agent *a);

#endif
