/* A connection, as the files that serve its requests share it; nobody else includes this. */
#ifndef WARMPATH_AGENT_SESSION_INTERNAL_H
#define WARMPATH_AGENT_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/agent.h"
#include "agent/blocks.h"
#include "agent/lookup.h"
#include "common/map.h"
#include "common/wire.h"

struct listing;

struct conn {
    struct loop_watch watch;
    struct conn *prev, *next; /* all connections */
    struct agent *agent;
    bool said_hello, is_tool;
    bool busy;               /* a request is being served; the next may not come before its reply */
    struct context *base;    /* of what the job brought */
    struct context *special; /* the same with the options of the mapping that was used last */
    char access[MAP_ACCESS_MAX];
    struct context *context; /* the one of the two that this request is for; borrowed */
    struct job *job;
    uint32_t page; /* counters; 0: none */
    int64_t ttl_ms;

    /* The request being served. */
    struct lookup_name name;
    uint8_t flags;
    struct lookup_waiter lookup;
    bool asked; /* the look-up had to ask S3 */
    struct block_waiter block;
    struct version version;
    uint64_t first;
    uint32_t at_most;
    bool goes_on; /* the job has a part of the first block already */
    bool only_held;
    struct listing *listing;
};

#define conn_of(member_pointer, member)                                                            \
    ((struct conn *)(void *)((char *)(member_pointer)-offsetof(struct conn, member)))

/* Each request gets one reply. Frees nothing. */
void conn_reply(struct conn *c, const void *data, size_t len, const int *fds, int n_fds);
void conn_reply_error(struct conn *c, int error, const char *why);
void conn_put_status(struct wire_buf *b, int error, const char *why);

/* Sets c->context for a mapping with these options. False when they are malformed. */
bool conn_use_access(struct conn *c, struct wire_str access);

/* A name, and the credentials that go with it. False when it is malformed. */
bool conn_get_name(struct conn *c, struct wire_buf *b, struct lookup_name *name);

/* Books a block that the job is given. */
void conn_count_block(struct conn *c, const struct version *v, uint64_t index, bool was_stored);

/* STAT and OPEN (session_open.c). */
void session_lookup(struct conn *c, struct wire_buf *b, enum lookup_how how);

/* BLOCKS, HELD and WANT (session_blocks.c). */
void session_blocks(struct conn *c, struct wire_buf *b);
void session_held(struct conn *c, struct wire_buf *b);
void session_want(struct conn *c, struct wire_buf *b);

#endif
