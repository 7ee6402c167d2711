/* A block that isn't here: who is asked for it, who fetches it from the origin, who waits for whom.
 * Pure: the index (fetch/index_run.c) and the simulator (sim/) bring the facts and do what it says.
 *
 *   a want ─┬─ somebody holds it ─────────────────────────────────────────────▶ PEER
 *           ├─ read ahead, another node's turn: LOOK now and then, a while ───▶ (as below)
 *           └─ CLAIM: take its lock, then look who holds it
 *                  somebody does (the lock goes back) ────────────────────────▶ PEER
 *                  the lock is ours ──────────────────────────────────────────▶ YOURS
 *                  another's: LOOK again soon, until `until_ms` ──────────────▶ ORIGIN
 *
 * First the lock, then the look: a holder announces a block before it lets go of the lock, so
 * whoever finds no lock finds the block. */
#ifndef WARMPATH_POLICY_WANT_H
#define WARMPATH_POLICY_WANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WANT_LOCK_MS       3000 /* a lock's life without being renewed */
#define WANT_LOCK_RENEW_MS 1000
#define WANT_WAIT_MOST_MS  8000 /* nobody waits longer for others */
#define WANT_ROUNDS_MAX    4    /* times that the index is asked, a peer that failed between them */

struct want {
    /* in; times are the caller's clock */
    bool is_demanded; /* a job waits for it; else it is read ahead, and left to other nodes a while
                       */
    int64_t until_ms; /* no more waiting for others from then on */

    /* want.c's own, but for `due_ms`: nothing to do before it */
    int64_t since_ms, due_ms, patient_until_ms, poll_ms;
    uint32_t claims;
    bool was_patient;
};

enum want_step {
    WANT_LATER,   /* nothing before due_ms */
    WANT_READERS, /* look who reads the object, and who holds the block; then ask again */
    WANT_LOOK,    /* look who holds the block; then ask again */
    WANT_CLAIM,   /* try to take the lock and then look; want_claimed() says what follows */
    WANT_PEER,    /* over: a holder is known */
    WANT_YOURS,   /* over: fetch it from the origin; others wait for that */
    WANT_ORIGIN,  /* over: fetch it from the origin, nobody waits for it */
};

struct want_facts {
    int64_t now_ms;
    bool index_usable;
    bool has_peer;      /* a holder is known that may be asked and wasn't */
    bool knows_readers; /* and that is new enough to decide whose turn it is */
    size_t rank;        /* then: readers before this node, as placement_rank() says */
};

/* It is asked about (again). */
void want_begin(struct want *w, int64_t now_ms);

/* Is `rank` needed for the next step? */
bool want_needs_rank(const struct want *w);

/* What is to be done for it now. Changes `due_ms`. */
enum want_step want_next(struct want *w, const struct want_facts *f);

/* After CLAIM: did we get the lock, does the look show a holder? PEER (the lock, if ours, goes
 * back), YOURS or LATER. */
enum want_step want_claimed(bool is_ours, bool has_peer);

/* A job waits for it now. */
void want_hurry(struct want *w, int64_t now_ms);

#endif
