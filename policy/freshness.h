/* When credentials are to be renewed. Pure.
 *
 *   obtained ───────── use ─────────┬── use, renew behind ──┬── wait for new ones
 *                                   window before           expires
 *
 * A renewal that failed is not repeated at once; credentials that came expired are used all the
 * same for a while, because only S3 can tell (clocks differ). */
#ifndef WARMPATH_POLICY_FRESHNESS_H
#define WARMPATH_POLICY_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

enum freshness {
    FRESHNESS_USE,
    FRESHNESS_RENEW, /* use, and begin to renew in the background */
    FRESHNESS_WAIT,  /* nothing to use until a renewal has succeeded */
    FRESHNESS_FAIL,  /* nothing to use, and a renewal has just failed */
};

struct freshness_state {
    bool have;           /* credentials, of any age */
    bool refused;        /* S3 called them expired */
    bool from_file;      /* static keys of a file: read again now and then */
    int64_t obtained_ms; /* one clock for all; 0: never */
    int64_t expires_ms;  /* 0: never */
    int64_t failed_ms;   /* the last renewal that failed since; 0: none */
    int64_t now_ms;
};

enum freshness freshness_judge(const struct freshness_state *s);

#endif
