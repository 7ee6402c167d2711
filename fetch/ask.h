/* One small HTTP request on the calling thread, for credential endpoints (STS, container, instance
 * metadata). Blocks, but never beyond its timeout, and ends soon after `stop` is set. Redirects are
 * not followed: a token must not be carried to where a stranger points. Thread-safe. */
#ifndef WARMPATH_FETCH_ASK_H
#define WARMPATH_FETCH_ASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASK_MAX_BYTES (64UL * 1024) /* of an answer */

struct ask {
    const char *method; /* "GET", "PUT", "POST" */
    const char *url;
    const char *const *headers; /* NULL-terminated "Name: value"; may be NULL */
    const char *content;        /* POST: the body */
    const char *ca_bundle;      /* NULL: system's */
    bool direct;                /* never by a proxy: the address has a meaning on this host only */
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* all in all */
    const atomic_bool *stop;
};

struct ask_answer {
    int status; /* 0: none came, `why` says why not */
    char *body; /* with a zero behind it; NULL when status is 0 */
    size_t len;
    int64_t date_s; /* the server's clock; 0: it did not say */
    char why[256];
};

/* True when an answer came, whatever its status. The caller clears it in either case. */
bool ask(const struct ask *a, struct ask_answer *out);
void ask_answer_clear(struct ask_answer *answer);

#endif
