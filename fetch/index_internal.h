/* What index.c (what others call), the thread's rooms (index_batch.h) and index_beat.c (membership)
 * share; nobody else includes it. */
#ifndef WARMPATH_FETCH_INDEX_INTERNAL_H
#define WARMPATH_FETCH_INDEX_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "fetch/index.h"
#include "fetch/index_segment.h"
#include "fetch/redis.h"

#define INDEX_TIMEOUT_MS 250 /* for one batch, connecting included */
#define INDEX_TTL_S      604800
#define BEAT_MS          2000
#define LEASE_MS         8000
#define VIEW_FRESH_MS    1000 /* who holds and reads what: looked up again after that */

#define FOUND_MAX     4096
#define LEFTOVERS_MAX 256

/* Something happened to an own block. */
struct index_news {
    struct index_block block;
    bool held;
};

/* What a node that is gone for good has left in a segment. */
struct index_leftover {
    struct segment_id id;
    uint64_t node;
};

/* A block that we fetch from the origin while others wait. Thread's own. */
struct index_lock {
    UT_hash_handle hh;
    struct segment_id id; /* version and block number */
    int64_t renew_ms, give_up_ms;
    bool release;
};

struct index {
    struct index_config config;
    struct redis *redis; /* thread's own */
    char nodes_key[40];
    char token[17]; /* of this process, in locks */

    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake, flushed;
    bool stopping;
    struct segment *segments, *queue;
    struct members members;
    struct index_want *wants;
    struct index_news *news;
    size_t n_news, room_news;
    uint64_t news_in, news_out; /* how many came, how many Redis knows */
    struct segment_id *ends;    /* locks to be let go, by block */
    size_t n_ends, room_ends;
    struct index_block *opened;
    size_t n_opened, room_opened;
    struct index_block *found; /* own segments to be announced at leisure */
    size_t n_found, room_found;
    bool is_more_found; /* there was no room for them */
    int64_t next_found_ms;
    enum index_state state;
    int64_t state_since_s;
    char why[200];
    int64_t beat_ms; /* the members are as they were then */
    bool wants_beat; /* somebody holds a block who isn't one of them */
    bool is_urgent;  /* somebody waits for the next batch */
    struct breaker guessing;
    struct silence silence; /* of all peers */
    int64_t fetch_ms;       /* want_fetch_ms() */
    size_t crowd;           /* the most holders that were seen of one segment since then */

    atomic_bool is_usable, is_offered;
    atomic_uint_fast64_t commands, round_trips;

    /* thread's own */
    struct index_lock *locks;
    int64_t next_beat_ms, next_batch_ms;
    int64_t redis_ahead_ms; /* Redis's clock less the monotonic one */
    int64_t again_ms;       /* all is announced once more then; 0: not */
    bool was_member;
    bool is_refused; /* Redis takes no lease, of nobody: that those of others end says nothing */
    struct index_leftover leftovers[LEFTOVERS_MAX];
    size_t n_leftovers;
};

/* The thread's body. */
void *index_run(void *ix);

/* Registers, renews, learns the other nodes. Thread only, without the lock. */
void index_beat(struct index *ix);
void index_leave(struct index *ix);

/* Runs a batch and says how Redis is. 0 or -errno. */
int index_call(struct index *ix, struct redis_command *commands, size_t n);
/* What a reply's error means for the state; false when it is no error. */
bool index_note_error(struct index *ix, const redisReply *reply);
void index_set_state(struct index *ix, enum index_state state, const char *why);

/* The next batch has to do with it: it is dirty, or to be looked up. With the lock. */
void index_queue(struct index *ix, struct segment *s);
/* It is looked up with the next batch that has room. */
void index_look_up(struct index *ix, struct segment *s);

/* Room for one more at the end of a growing array. */
void *index_grow(void *array, size_t n, size_t *room, size_t size);

enum index_found {
    FOUND_NONE,
    FOUND_FAR,  /* another zone has it, and the lock of this one isn't ours */
    FOUND_SOON, /* nobody to ask now, but somebody has it */
    FOUND_TURN, /* somebody to ask once one of our own requests to them has ended */
    FOUND,
};

/* Not a member, and not one that may have come since the members were told. With the lock, as the
 * next two. */
bool index_knows_gone(struct index *ix, uint64_t node, int64_t now_ms);

/* Does any node that may be asked, and wasn't yet, hold the block? Fills `out`, which may be NULL.
 */
enum index_found index_find_peer(struct index *ix, struct index_want *w, struct index_peer *out);

/* One that may be asked, now or when it is our turn. */
static inline bool index_is_peer(enum index_found found)
{
    return found == FOUND || found == FOUND_TURN;
}

/* As policy/want wants the nodes counted. */
size_t index_nodes(const struct index *ix);
/* How old its news may be, as want_guess_at_ms() wants it. */
int64_t index_news_ms(struct index *ix);

/* Other nodes that read the version. `fit`: without those that don't answer at present. */
size_t index_known_readers(struct index *ix, const uint8_t *version, bool fit, uint64_t *nodes,
                           size_t most);

/* One that may have the block although nothing is known of that. Fills `out`, which may be NULL. */
bool index_guess_peer(struct index *ix, struct index_want *w, struct index_peer *out);

/* How many of the nodes that read the same object, and answer, come before this one. */
size_t index_rank(struct index *ix, const struct index_want *w);

/* Were those who read it ever looked up? */
bool index_knows_readers(struct index *ix, const struct index_want *w);

#endif
