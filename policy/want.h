/* A block that isn't here: who is asked for it, who fetches it from the origin, who waits for whom.
 * Pure: the index (fetch/index_run.c) and the simulator (sim/) bring the facts and do what it says.
 *
 *   a want ─┬─ somebody holds it ──────────────────────────────────────────▶ PEER
 *           ├─ others may have got it meanwhile: GUESS one, now and then ──▶ PEER, or (as below)
 *           ├─ all who hold it are busy: LOOK now and then ────────────────▶ (as below)
 *           ├─ read ahead, another node's turn: LOOK now and then, a while ▶ (as below)
 *           ├─ another zone has it: CROSS, take the lock of this zone
 *           │      the lock is ours ───────────────────────────────────────▶ PEER, a far one
 *           │      another's: LOOK again soon ─────────────────────────────▶ (as below)
 *           └─ CLAIM: take its lock, then look who holds it
 *                  somebody does (the lock goes back) ─────────────────────▶ PEER
 *                  the lock is ours ───────────────────────────────────────▶ YOURS
 *                  another's: LOOK again soon, until `until_ms` ───────────▶ ORIGIN
 *
 * First the lock, then the look: a holder announces a block before it lets go of the lock, so
 * whoever finds no lock finds the block.
 *
 * What leads from one zone to another is thin, or costs; so a block comes into a zone once, where
 * several nodes of it read the object.
 *
 * News by the index are slow where nodes are many (below). So while a want waits, nodes that are
 * likely to have the block by now (policy/placement) are asked for it: one that hasn't got it says
 * so in a round trip, and each time the next guess waits longer. Where there is no index that is
 * all there is; whose turn it is to fetch the block is then told by time: of nodes that want it,
 * the first goes to the origin at once, the second and third wait a moment whether it shows up, the
 * next four two, and so on. */
#ifndef WARMPATH_POLICY_WANT_H
#define WARMPATH_POLICY_WANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/breaker.h"

#define WANT_LOCK_MS       3000 /* a lock's life without being renewed */
#define WANT_LOCK_RENEW_MS 1000
#define WANT_WAIT_MOST_MS  8000 /* no job waits longer for other nodes */
#define WANT_AHEAD_TIMES   3    /* what no job waits for may wait so many times as long */
#define WANT_ROUNDS_MAX    4    /* times that the index is asked, a peer that failed between them */
#define WANT_BLIND_GUESSES 2    /* without an index, of an object whose readers aren't known */

/* Guesses, a node's all in all: after so many wrong ones in a row they aren't worth it. */
extern const struct breaker_rules want_guess_rules;

struct want {
    /* in; times are the caller's clock */
    bool is_demanded; /* a job waits for it; else it is read ahead, and left to other nodes a while
                       */
    int64_t wait_ms;  /* a job waits no longer for others */

    /* want.c's own, but for `until_ms`: no more waiting for others from then on, and `due_ms`:
     * nothing to do before it */
    int64_t until_ms;
    int64_t since_ms, due_ms, patient_until_ms, poll_ms;
    int64_t guess_at_ms, guess_gap_ms;
    uint32_t claims, guesses;
    bool was_patient, is_alone;
    bool crosses; /* out: the lock of its zone is ours, other zones may be asked */
};

enum want_step {
    WANT_LATER,   /* nothing before due_ms */
    WANT_READERS, /* look who reads the object, and who holds the block; then ask again */
    WANT_LOOK,    /* look who holds the block; then ask again */
    WANT_CROSS,   /* the same with the lock of this node's zone; want_crossed() */
    WANT_CLAIM,   /* try to take the lock and then look; want_claimed() says what follows */
    WANT_GUESS,   /* ask a node that may have it; want_missed() when it hasn't */
    WANT_PEER,    /* over: a holder is known */
    WANT_YOURS,   /* over: fetch it from the origin; others wait for that */
    WANT_ORIGIN,  /* over: fetch it from the origin, nobody waits for it */
};

struct want_facts {
    int64_t now_ms;
    bool index_usable;
    int64_t news_ms;    /* as for want_guess_at_ms() */
    bool index_ready;   /* it may be asked now: else it was so a moment ago */
    bool has_peer;      /* a holder is known that may be asked and wasn't */
    bool has_peer_soon; /* somebody has it who is busy, or isn't known as a node yet */
    bool has_far_peer;  /* one of another zone has it, and others of this zone want it, too */
    bool has_guess; /* as placement_guess() says; among all nodes where the readers aren't known */
    bool knows_readers; /* and that is new enough to decide whose turn it is */
    int64_t fetch_ms;   /* want_fetch_ms(); 0: not known */
    size_t rank;        /* then: readers before this node, as placement_rank() says */
};

/* Before all else: from now on it is waited for. */
void want_start(struct want *w, int64_t now_ms);

/* It is asked about (again). */
void want_begin(struct want *w, int64_t now_ms);

/* No other node is asked for it, or waited for, from then on: whatever they do, a reader that waits
 * goes to the origin after `wait_ms`, or once the peer that it asked before has answered or run
 * into its deadlines (fetch/peer.c). */
bool want_is_over(const struct want *w, int64_t now_ms);

/* Is `rank` needed for the next step, where there is an index? */
bool want_needs_rank(const struct want *w);

/* From when on a guess is worth it; INT64_MAX: not before the index was asked, and never where its
 * news are quick. `news_ms`: how old they may be, as want_look_gap_ms() says; WANT_NO_NEWS: there
 * is no index. */
#define WANT_NO_NEWS INT64_MAX
int64_t want_guess_at_ms(const struct want *w, int64_t news_ms);

/* What is to be done for it now. Changes `due_ms` and when it is guessed next. */
enum want_step want_next(struct want *w, const struct want_facts *f);

/* After CLAIM: did we get the lock, does the look show a holder? YOURS, or PEER or LATER: then the
 * lock, if it is ours, goes back. */
enum want_step want_claimed(bool is_ours, bool has_peer, bool has_peer_soon);

/* After CROSS: PEER, one of another zone too where the lock is ours, or LATER. */
enum want_step want_crossed(struct want *w, bool is_ours, bool has_peer);

/* The node that was guessed hasn't got it, or no time: the want goes on where it was. */
void want_missed(struct want *w, int64_t now_ms);

/* How long this node's fetches from the origin take, once another one took so long. */
int64_t want_fetch_ms(int64_t before_ms, int64_t took_ms);

/* A job waits for it from now on. */
void want_hurry(struct want *w, int64_t now_ms);

/* --- how often Redis is asked ---------------------------------------------------------- */

/* One thread of Redis serves all nodes, and what it does for one of them is answer with what all of
 * them hold. So each node asks the less often the more there are. `nodes`: that are known as nodes,
 * or as holders of what is looked for, whichever are more: of nodes that all start together only
 * the holders are known at first. Figures from the simulator (docs/simulator.md). */

/* From one pipeline to the next. */
int64_t want_batch_gap_ms(size_t nodes);
/* How old what is known of a segment may be when a want is to LOOK. CLAIM always looks. */
int64_t want_look_gap_ms(size_t nodes);
/* And when it is known who holds the block, but not yet our turn to ask. */
int64_t want_turn_look_gap_ms(size_t nodes);
/* A holder shows up that isn't known as a node: from the last look at the nodes to the next. */
int64_t want_nodes_gap_ms(size_t nodes);

/* How long a holder that is busy is left alone. `random`: 32 random bits. */
int64_t want_busy_ms(uint32_t random);

#endif
