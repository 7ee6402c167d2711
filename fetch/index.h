/* The index: what Redis knows of the cluster. Which node holds which block, which nodes there are,
 * who is fetching what from the origin. Hints only: with Redis gone, slow, full or lying, blocks
 * come from the origin as on a node that stands alone.
 *
 * In Redis, each key with a time to live, NAME being 96 bits of a keyed hash of the version's id:
 *   w{NAME}s7        hash: node → bitmap of the blocks [7 * 512, 8 * 512) that it holds; an empty
 *                    value means all of them, one zero byte that it reads the object
 *   w{NAME}l1234     the token of the node that fetches block 1234 from the origin
 *   w{NAME}l1234zZ   of the node that fetches it from another zone for zone Z (a hash of its name)
 *   w{nodes-NAME}    hash: node → lease (milliseconds of Redis's clock), URL, zone
 *
 * A thread of its own talks to Redis; all functions may be called from any thread, and wait for it
 * only where index_withdraw() is told to. Look-ups are made once for each version and 512 blocks
 * when it is opened; a block that somebody is known to hold costs no command, one that nobody holds
 * costs a few, many in one pipeline. */
#ifndef WARMPATH_FETCH_INDEX_H
#define WARMPATH_FETCH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/secret.h"
#include "fetch/members.h"
#include "fetch/redis_url.h"
#include "policy/want.h"

#define INDEX_VERSION_BYTES 16

struct index;

struct index_block {
    uint8_t version[INDEX_VERSION_BYTES];
    uint64_t block;
    uint64_t blocks; /* of the whole version; 0: not known (withdrawing) */
};

struct index_config {
    struct redis_target redis;
    struct secret secret;
    uint64_t node; /* random, as old as the store: an emptied store is another node */
    char url[MEMBER_URL_MAX];
    char zone[MEMBER_ZONE_MAX];
    bool other_regions;
    /* Can others get the block from this node's own store? Not once index_withdraw() was told of
     * it. Called by the index's thread. */
    bool (*holds)(void *user, const struct index_block *b);
    /* Is it served to others at present? The same thread, with each renewal of the lease. */
    bool (*offers)(void *user);
    /* Redis doesn't know this node: index_announce() shall follow for all that it holds. The same
     * thread. */
    void (*tell_all)(void *user);
    /* There is room again for what index_announce() had none for. The same thread. */
    void (*tell_more)(void *user);
    void *user;
};

/* Never NULL. */
struct index *index_new(const struct index_config *config);
/* Follows. Connects from its own thread, which calls what the configuration names. */
void index_start(struct index *ix);
/* Leaves the cluster. Wants that are not answered by then never are. */
void index_free(struct index *ix);

/* --- own blocks -------------------------------------------------------------------- */

/* The store has it now. */
void index_publish(struct index *ix, const struct index_block *b);

/* The store has had it since before. Announced at leisure. False: no more is taken until
 * tell_more() says so. */
bool index_announce(struct index *ix, const struct index_block *b);

/* It did not come, or can't be had from here: the locks of it that this node has end, and whoever
 * waits for it fetches it. */
void index_let_go(struct index *ix, const struct index_block *b);

/* The store is about to drop these. With `wait`: returns once Redis knows, but waits no longer than
 * some tens of milliseconds, and not at all while Redis is away. */
void index_withdraw(struct index *ix, const struct index_block *blocks, size_t n, bool wait);

/* --- reading ----------------------------------------------------------------------- */

/* The version was opened here: looks up who holds it, in one round trip. */
void index_opened(struct index *ix, const uint8_t version[INDEX_VERSION_BYTES], uint64_t blocks);

enum index_answer {
    INDEX_PEER,   /* somebody holds it, or may: index_take_peer() */
    INDEX_YOURS,  /* nobody does, and all others wait for us to fetch it; index_fetched() follows */
    INDEX_ORIGIN, /* go there without being waited for: waited long enough, or no Redis */
};

#define INDEX_TRIES 4

/* A block that is wanted. Embedded in the caller's; zeroed but for the first members. */
struct index_want {
    struct index_block what;
    struct want want; /* times are monotonic */
    bool is_far;      /* read ahead for what other nodes lack: not asked for in turns */
    void (*answer)(struct index_want *w, enum index_answer a); /* index's thread */

    /* the index's own */
    struct index_want *prev, *next;
    uint64_t tried[INDEX_TRIES]; /* nodes that were asked for it */
    uint32_t n_tried;
    bool is_waiting, is_locked;
    bool is_guess;       /* the peer that was taken last is not known to hold it */
    bool is_ahead;       /* and it was asked in turn */
    enum want_step step; /* once it isn't waiting any more: how it ended */
};

/* False: Redis is away. */
bool index_usable(struct index *ix);

/* Without Redis: are there nodes that may have it all the same, so that asking is worth it? */
bool index_may_guess(struct index *ix, struct index_want *w);

/* Finds out where to get it; answers once. After a peer that was only guessed it goes on where it
 * was. */
void index_want(struct index *ix, struct index_want *w);
/* Now a job waits for it. Nothing happens where it isn't waiting (any more). */
void index_hurry(struct index *ix, struct index_want *w);
/* After INDEX_YOURS and INDEX_ORIGIN: fetched in so long, or failed (then somebody else may try at
 * once). */
void index_fetched(struct index *ix, struct index_want *w, bool ok, int64_t took_ms);

/* Without asking anybody: is the block known to be at a peer, or will that only be known soon? */
bool index_may_hold(struct index *ix, const struct index_block *b);

/* --- peers ------------------------------------------------------------------------- */

enum peer_outcome {
    PEER_GOOD,
    PEER_MISSING, /* it has let the block go */
    PEER_BUSY,
    PEER_FAILED,
    PEER_LIED, /* what it sent did not verify */
};

struct index_peer {
    uint64_t node;
    char url[MEMBER_URL_MAX];
    /* How long its silence is borne, before the first byte and then: policy/silence. */
    int64_t first_byte_most_ms, gap_most_ms;
    /* Nobody else is known to have it: while the node lets itself be connected to, its silence is
     * borne HTTP_WAIT_TIMES as long. */
    bool is_only;
    /* Filled in by who asks it: what it took, when the block came; was it too silent, and could it
     * be connected to all the same? */
    int64_t first_byte_ms, gap_ms;
    bool was_silent, was_reachable;
};

enum index_taken {
    INDEX_TAKEN,
    INDEX_TAKE_NONE,  /* there is none */
    INDEX_TAKE_LATER, /* once another one is given back: enough is asked of them at once for what is
                         only read ahead */
};

/* The best node to ask that was not asked for it yet. Every one that is taken is given back with
 * how it went; one that was busy may be taken again in a moment. */
enum index_taken index_take_peer(struct index *ix, struct index_want *w, struct index_peer *out);
void index_give_peer(struct index *ix, struct index_want *w, const struct index_peer *p,
                     enum peer_outcome how, const char *why);

/* Other nodes that read the version and may be asked, as far as it is known; how many there are. */
size_t index_readers(struct index *ix, const uint8_t version[INDEX_VERSION_BYTES], uint64_t *nodes,
                     size_t most);

/* Of them, those that are known to have the block. */
size_t index_holders(struct index *ix, const struct index_block *b);

/* --- how it goes -------------------------------------------------------------------- */

enum index_state {
    INDEX_CONNECTING,
    INDEX_FINE,
    INDEX_AWAY,    /* not reachable, too slow, talks nonsense */
    INDEX_FULL,    /* takes no more, and no lease either: as if it were away */
    INDEX_REFUSED, /* credentials or ACL */
};

struct index_trouble {
    char what[420]; /* node, cause */
    int64_t since_s;
};

#define INDEX_TROUBLES_MAX 8

struct index_status {
    enum index_state state;
    int64_t since_s; /* wall clock */
    bool offered;    /* others are told that they may ask this node */
    char why[200];
    uint64_t commands, round_trips;
    uint32_t nodes;    /* with a lease, this one not counted */
    uint32_t peers;    /* of these, that we may and can ask */
    uint32_t troubled; /* of these, that failed lately */
    size_t n_troubles; /* of which as many are told of as there is room for */
    struct index_trouble troubles[INDEX_TROUBLES_MAX];
};

void index_status(struct index *ix, struct index_status *out);
const char *index_state_name(enum index_state state);

#endif
