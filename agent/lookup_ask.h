/* One step of a look-up: its request to S3, and what comes of it on the engine's thread. For
 * lookup.c, which says what the answer means and what the next step is.
 *
 * A look-up belongs to the loop's thread, but for `request`, `entries`, `beginning`, `block_fd` and
 * `seed`, which are the engine's from lookup_ask() until the task is posted. */
#ifndef WARMPATH_AGENT_LOOKUP_ASK_H
#define WARMPATH_AGENT_LOOKUP_ASK_H

#include <stdatomic.h>
#include <uthash.h>

#include "agent/lookup.h"
#include "agent/lookup_known.h"

enum lookup_step { LOOKUP_STEP_HEAD, LOOKUP_STEP_GET, LOOKUP_STEP_LIST, LOOKUP_STEP_PARENT };

struct lookup {
    UT_hash_handle hh;
    struct loop_task task;
    struct agent *agent;
    struct context *context;
    struct s3_context *s3;
    struct job *job;
    int64_t started_ms;
    struct lookup_name name;
    enum lookup_step step;
    atomic_bool awaited;  /* a job waits; else it came ahead. Set by the loop, read by the engine */
    bool list_came_first; /* an empty list then means: ask for the object */
    bool not_object;      /* seen within the time to live: there is no object of this name */
    bool is_prefix;       /* the list that came first found something below it */
    struct meta known;    /* GET: what If-None-Match names */
    struct lookup_waiter *waiters;
    struct s3_request request;
    char parent[LOOKUP_PARENT_MAX]; /* or the prefix to list */
    uint32_t entries;               /* LIST: seen */
    char *beginning;                /* GET: of the object; engine's thread until done */
    uint32_t beginning_len;
    int block_fd;         /* GET: block 0, where that is the whole object */
    struct partial *seed; /* GET: else the beginning of block 0 */
    size_t id_len;
    char id[]; /* the table's key */
};

/* Sends the request of `l->step`: its task is posted to the loop when the answer is there. 0 or
 * -errno, then it isn't. */
int lookup_ask(struct lookup *l);

/* A file, as S3 describes it. */
void lookup_file_meta(const struct s3_meta *from, struct meta *to);

#endif
