/* The nodes of the cluster as the index last told, and how each behaved as a peer. Not locked: the
 * index guards it. Times are monotonic. */
#ifndef WARMPATH_FETCH_MEMBERS_H
#define WARMPATH_FETCH_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/breaker.h"
#include "policy/placement.h"
#include "policy/silence.h"

#define MEMBER_URL_MAX  256
#define MEMBER_ZONE_MAX 64
#define MEMBERS_MAX     4096

struct member {
    uint64_t node;
    char url[MEMBER_URL_MAX]; /* empty: serves nobody */
    char zone[MEMBER_ZONE_MAX];
    enum placement_distance distance;
    bool is_alive;  /* its lease holds */
    uint32_t asked; /* our requests to it, under way, */
    uint32_t ahead; /* and those that were asked in turn */
    struct breaker breaker;
    struct silence silence;
    int64_t avoid_until_ms;  /* it sent what did not verify */
    int64_t busy_until_ms;   /* it said so */
    int64_t slow_until_ms;   /* it was silent, but is there; 0: it was heard of since */
    char why[160];           /* its last failure */
    int64_t trouble_since_s; /* wall clock; 0: the last request to it went well */
};

struct stranger;

struct members {
    struct member *all; /* sorted by node */
    size_t n;
    struct stranger *strangers; /* met, but no members (members.c) */
};

/* One line of the index: "EXPIRY_MS URL ZONE". False when it can't be read. */
bool member_parse(const char *text, size_t len, int64_t *expires_ms, struct member *out);
/* The line. Its length, or -1. */
int member_format(char *out, size_t size, int64_t expires_ms, const char *url, const char *zone);

struct member *members_find(struct members *m, uint64_t node);

/* Adds or renews one; a new URL is a new server, of which nothing bad is known. NULL: too many. */
struct member *members_put(struct members *m, const struct member *fresh, const char *own_zone);
/* Before a new list: all count as dead until members_put() names them. */
void members_all_dead(struct members *m);
/* Forgets the dead that nobody is asking any more. */
void members_sweep(struct members *m, int64_t now_ms);
void members_free(struct members *m);

/* A node of which the index speaks, and which may be no member: when that was first noticed, which
 * is now if it was not before; 0 for one that was a member and is none any more. Who is still none
 * in a list that is newer than that is gone, and what it left in the index is worth nothing. Who
 * is not may have come since the last list. */
int64_t members_met(struct members *m, uint64_t node, int64_t now_ms);

/* The list still has it, but its lease is over. It keeps those for an hour. */
void members_listed(struct members *m, uint64_t node, int64_t now_ms);
/* Of a node that members_met() was asked for: not even listed, for longer than one that lives could
 * be missing from a list that was lost. What it left in the index can be removed; should it come
 * back after all, it sees that it isn't listed and announces all that it has. */
#define MEMBERS_FORGOTTEN_MS 20000
bool members_forgotten(const struct members *m, uint64_t node, int64_t now_ms);

/* Those whose lease holds. */
size_t members_alive(const struct members *m);

bool member_usable(const struct member *m, int64_t now_ms);

/* It isn't to be asked at present, but what only it has is worth waiting for. */
bool member_is_slow(const struct member *m, int64_t now_ms);

#endif
