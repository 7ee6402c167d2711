/* Where do these bytes come from? Whole blocks from other nodes where they have them (or will in a
 * moment), everything else from S3. Same interface as agent/transfer.h: on a node that stands
 * alone, nothing but that. Loop thread only. */
#ifndef WARMPATH_AGENT_ROUTE_H
#define WARMPATH_AGENT_ROUTE_H

#include "agent/transfer.h"

/* As transfer_start(), but `ended` may come for each part apart. Where it fails, it fails for all.
 */
bool route_start(const struct transfer *how, int *error, char *why, size_t why_size);

/* A reader waits for this block now. */
void route_hurry(const struct partial *p);

/* Transfers, and blocks that are looked for elsewhere. */
size_t routes_in_flight(void);

#endif
