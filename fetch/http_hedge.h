/* A request that is sent twice, because its answer is late: whichever of the two transfers has its
 * headers first is the request's, the other one is given up. For http_worker.c and http_transfer.c;
 * both transfers live on one worker's thread.
 *
 *   t ──late, `hedge` agrees──> t and its twin ──headers of one──> that one goes on, the other is
 * lost └─────────one fails────────> the other one goes on alone */
#ifndef WARMPATH_FETCH_HTTP_HEDGE_H
#define WARMPATH_FETCH_HTTP_HEDGE_H

#include "fetch/http_transfer.h"

/* When a twin may be made, unless headers come; INT64_MAX: never. Where nobody waits for the answer
 * yet, when to look again. */
int64_t http_hedge_due_ms(const struct http_transfer *t, int64_t now_ms);

/* The twin, to be started, or NULL where the caller doesn't want one. Asks once. */
struct http_transfer *http_hedge_make(struct http_transfer *t);

/* The headers of `t` are complete: the request is its own. */
void http_hedge_won(struct http_transfer *t);

/* `t` is over. True: another transfer is the request's, which goes on; just free `t`. */
bool http_hedge_leave(struct http_transfer *t);

#endif
