/* A node: a job that reads its objects from the beginning to the end as fast as the blocks come,
 * the agent's read-ahead, its search for each block, its index thread. Decisions are policy/'s;
 * what stands here is what the agent does with bytes and messages, as agent/blocks.c,
 * agent/elsewhere.c and fetch/index_run.c have it. */
#ifndef WARMPATH_SIM_NODE_H
#define WARMPATH_SIM_NODE_H

#include "policy/far.h"
#include "policy/silence.h"
#include "sim/redis.h"
#include "sim/world.h"

#define ROUTES_MAX 128
#define LOCKS_MAX  512
#define TRIES_MAX  4 /* INDEX_TRIES */

/* A block on its way. */
struct route {
    uint32_t block;
    struct want want;
    bool is_wanting;       /* the index is asked */
    bool awaits_turn;      /* enough is asked of those who have it */
    bool is_locked;        /* others wait for us */
    bool is_far, is_guess; /* the peer was guessed */
    bool is_ahead;         /* and it was asked in turn */
    int rounds;
    int64_t fetched_ms; /* the origin was asked then */
    int peer;           /* that is asked; -1: none */
    int tried[TRIES_MAX], n_tried;
};

enum block_state { BLOCK_AWAY, BLOCK_COMING, BLOCK_HERE };

struct lock {
    uint32_t block;
    bool is_zone;
    int64_t renew_ms;
    bool release;
};

/* What this node knows of a segment. */
struct view {
    int64_t viewed_ms; /* -1: never looked up */
    bool dirty, look_up;
    uint64_t bits[NODES_MAX][SEGMENT_WORDS];
};

struct node {
    struct world *world;
    int index;
    uint64_t id;
    const char *zone;
    int64_t start_us, done_us;
    bool is_started, is_dead;
    int uploads;

    /* the job and its read-ahead */
    struct prefetch_stream stream;
    uint32_t at, here; /* the block that it reads; how many are here */
    uint8_t state[BLOCKS_MAX];
    struct route *routes[BLOCKS_MAX]; /* by block */
    uint32_t coming[ROUTES_MAX];      /* blocks of the routes */
    int n_coming, n_far;              /* all, and those far ahead */
    struct far far;

    /* the index */
    bool index_usable, is_busy, input_dirty;
    bool knows[NODES_MAX];     /* members */
    int64_t met_ms[NODES_MAX]; /* who is none was noticed then; 0: was not yet */
    int n_known, crowd;        /* their number; the most holders seen of a segment since then */
    int64_t next_beat_ms, wake_ms;
    uint64_t own[SEGMENTS_MAX][SEGMENT_WORDS];
    int64_t beat_ms, next_batch_ms; /* the members are as known then */
    bool reads[NODES_MAX];          /* who reads the object, as last looked up with segment 0 */
    struct view *views;
    struct lock locks[LOCKS_MAX];
    int n_locks;
    struct redis_batch batch;

    /* peers */
    int asked[NODES_MAX], ahead[NODES_MAX]; /* all requests, those in turn */
    int64_t busy_until_ms[NODES_MAX];
    struct breaker breakers[NODES_MAX], guessing;
    struct silence silences[NODES_MAX], silence; /* of each, of all */
    int64_t fetch_ms;                            /* as want_fetch_ms() has it */
};

void node_init(struct node *n, struct world *w, int index);
void node_free(struct node *n);
void node_start(void *node, int64_t number);
void node_die(void *node, int64_t number);

static inline bool node_holds(const struct node *n, uint32_t block)
{
    return n->state[block] == BLOCK_HERE;
}

/* --- the parts of a node, for each other --- */

/* node_peers.c: is there a holder to ask; which one is asked. -1: none; `how` says more. */
struct found {
    bool soon; /* there may be one in a moment */
    bool far;  /* another zone has it; a lock is needed */
    bool turn; /* there is one, once another block of it is here */
};
int peers_find(struct node *n, const struct route *r, struct found *how);
/* Other nodes that are known to have it. */
size_t peers_holding(const struct node *n, uint32_t block);
/* One that may have it although nothing is known of that; -1: none. */
int peers_guess(const struct node *n, const struct route *r);
void peers_ask(struct node *n, struct route *r, int peer);

/* It is dead now. */
void peers_died(struct node *dead);

/* node_index.c: has the thread look what there is to do. */
void index_wake(struct node *n);
/* Without Redis: is there anybody to be guessed, or waited for? */
bool index_may_guess(const struct node *n, const struct route *r);
size_t index_nodes(const struct node *n);
void index_first_beat(struct node *n);
void index_published(struct node *n, uint32_t block);
/* Looks who has it by now, where that is old news. */
void index_refresh(struct node *n, uint32_t block);

/* node.c */
void route_look(struct node *n, struct route *r);
/* A block came from a peer, or not: asks for those that waited for that. */
void routes_next_turns(struct node *n);
void route_origin(struct node *n, struct route *r);
void route_here(struct node *n, struct route *r);

#endif
