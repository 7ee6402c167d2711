/* Credentials that are kept fresh: found once for all who use them, renewed behind their backs
 * before they expire. A renewal runs on a thread of its own; while it runs, nobody starts another.
 *
 *        keyring_get ──> keys there ──────────────────────────────> signed with
 *             │          about to expire ──> the same, and renew ──┐
 *             └────────> none, expired, refused by S3 ──> wait <───┤
 *                                                  ready <─────────┘
 *
 * Thread-safe. No lock is held while a renewal waits for anything. */
#ifndef WARMPATH_FETCH_KEYRING_H
#define WARMPATH_FETCH_KEYRING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/credentials.h"

struct keyring;

/* One set of keys; never changes. */
struct keys {
    struct credentials credentials;
    atomic_uint references;
    atomic_bool accepted; /* by S3, at least once; set by who saw it */
};
void keys_unref(struct keys *k);

/* Embedded in what waits for keys. `ready` is called once, from any thread, soon after a renewal
 * has ended (keyring_get() then tells how), or when keyrings_stop() was called. */
struct keyring_waiter {
    struct keyring_waiter *prev, *next;
    void (*ready)(struct keyring_waiter *w);
};

/* The credentials of an environment ("NAME=value", NULL-terminated; copied). A renewal may take
 * `patience_ms`. NULL when memory is short. */
struct keyring *keyring_new(const char *const *vars, int64_t patience_ms);
/* Credentials that are what they are; takes them over. */
struct keyring *keyring_of(struct credentials *credentials);
struct keyring *keyring_ref(struct keyring *k);
void keyring_unref(struct keyring *k);

/* Are there credentials, or may there soon be? Looks at what needs no waiting (environment, files)
 * at once, starts looking at the rest. 0, or -EACCES with a sentence. */
int keyring_check(struct keyring *k, char *why, size_t why_size);

/* 0: *keys is set, with a reference for the caller. -EINPROGRESS: `w` waits. -EACCES with a
 * sentence; -ECANCELED when the agent is ending. */
int keyring_get(struct keyring *k, struct keyring_waiter *w, struct keys **keys, char *why,
                size_t why_size);

/* S3 says that these keys have expired. True when it is worth another try: newer ones are there
 * already, or are now looked for (but not a second after these, if S3 never accepted them). */
bool keyring_refused(struct keyring *k, const struct keys *keys);

/* Has the ring got other keys since? */
bool keyring_newer(struct keyring *k, const struct keys *keys);

/* Ends all renewals (soon), and wakes who waits. Before the program's end. */
void keyrings_stop(void);

#endif
