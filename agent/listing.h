/* The LIST request: one page of a directory from S3, also remembered for stat. Loop thread only. */
#ifndef WARMPATH_AGENT_LISTING_H
#define WARMPATH_AGENT_LISTING_H

struct conn;
struct listing;

/* Lists the connection's `name` as a prefix, from `token` ("" for the start), and replies. */
void listing_start(struct conn *c, const char *token);

/* The connection went away. NULL is fine. */
void listing_cancel(struct listing *l);

#endif
