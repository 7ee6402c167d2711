#include "fetch/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define STRANGERS_MAX 32768
#define NEVER         (-1)

struct stranger {
    UT_hash_handle hh;
    uint64_t node;
    int64_t met_ms;    /* NEVER: not yet */
    int64_t listed_ms; /* NEVER: not at all */
};

/* A word up to the next space or the end, into a field of `size`. */
static bool take_word(const char **at, const char *end, char *out, size_t size)
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    const char *stop = space ? space : end;
    size_t len = (size_t)(stop - *at);
    if (len == 0 || len >= size)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    if (strlen(out) != len)
        return false;
    if (strcmp(out, "-") == 0)
        out[0] = '\0';
    *at = space ? space + 1 : end;
    return true;
}

bool member_parse(const char *text, size_t len, int64_t *expires_ms, struct member *out)
{
    const char *at = text, *end = text + len;
    char number[24], *rest;
    memset(out, 0, sizeof(*out));
    if (!take_word(&at, end, number, sizeof(number)) || !number[0])
        return false;
    *expires_ms = strtoll(number, &rest, 10);
    return !*rest && take_word(&at, end, out->url, sizeof(out->url)) &&
           take_word(&at, end, out->zone, sizeof(out->zone)) && at == end;
}

int member_format(char *out, size_t size, int64_t expires_ms, const char *url, const char *zone)
{
    int n = snprintf(out, size, "%lld %s %s", (long long)expires_ms, *url ? url : "-",
                     *zone ? zone : "-");
    return n > 0 && (size_t)n < size ? n : -1;
}

/* The first whose node is not smaller. */
static size_t position(const struct members *m, uint64_t node)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->all[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct member *members_find(struct members *m, uint64_t node)
{
    size_t at = position(m, node);
    return at < m->n && m->all[at].node == node ? &m->all[at] : NULL;
}

static struct member *insert(struct members *m, uint64_t node)
{
    size_t at = position(m, node);
    if (m->n == MEMBERS_MAX)
        return NULL;
    struct member *more = reallocarray(m->all, m->n + 1, sizeof(*more));
    if (!more)
        abort();
    m->all = more;
    memmove(&more[at + 1], &more[at], (m->n++ - at) * sizeof(*more));
    memset(&more[at], 0, sizeof(*more));
    more[at].node = node;
    return &more[at];
}

/* --- strangers ------------------------------------------------------------------------ */

static void forget_strangers(struct members *m)
{
    struct stranger *s, *next;
    HASH_ITER(hh, m->strangers, s, next)
    {
        HASH_DEL(m->strangers, s);
        free(s);
    }
}

static struct stranger *find_stranger(const struct members *m, uint64_t node)
{
    struct stranger *s;
    HASH_FIND(hh, m->strangers, &node, sizeof(node), s);
    return s;
}

static void is_no_stranger(struct members *m, uint64_t node)
{
    struct stranger *s = find_stranger(m, node);
    if (s)
        HASH_DEL(m->strangers, s);
    free(s);
}

static struct stranger *make_stranger(struct members *m, uint64_t node)
{
    struct stranger *s = find_stranger(m, node);
    if (s)
        return s;
    if (HASH_COUNT(m->strangers) >= STRANGERS_MAX) /* those that matter are met again */
        forget_strangers(m);
    s = malloc(sizeof(*s));
    if (!s)
        abort();
    *s = (struct stranger){.node = node, .met_ms = NEVER, .listed_ms = NEVER};
    HASH_ADD(hh, m->strangers, node, sizeof(s->node), s);
    return s;
}

int64_t members_met(struct members *m, uint64_t node, int64_t now_ms)
{
    struct stranger *s = make_stranger(m, node);
    if (s->met_ms == NEVER)
        s->met_ms = now_ms;
    return s->met_ms;
}

void members_listed(struct members *m, uint64_t node, int64_t now_ms)
{
    make_stranger(m, node)->listed_ms = now_ms;
}

bool members_forgotten(const struct members *m, uint64_t node, int64_t now_ms)
{
    const struct stranger *s = find_stranger(m, node);
    return s && s->met_ms != NEVER && now_ms - s->met_ms > MEMBERS_FORGOTTEN_MS &&
           (s->listed_ms == NEVER || now_ms - s->listed_ms > MEMBERS_FORGOTTEN_MS);
}

/* --- members -------------------------------------------------------------------------- */

struct member *members_put(struct members *m, const struct member *fresh, const char *own_zone)
{
    struct member *known = members_find(m, fresh->node);
    if (!known)
        known = insert(m, fresh->node);
    if (!known)
        return NULL;
    if (strcmp(known->url, fresh->url) != 0) {
        memcpy(known->url, fresh->url, sizeof(known->url));
        known->breaker = (struct breaker){0};
        known->silence = (struct silence){0};
        known->avoid_until_ms = known->slow_until_ms = 0;
        known->trouble_since_s = 0;
    }
    memcpy(known->zone, fresh->zone, sizeof(known->zone));
    known->distance = placement_distance(own_zone, known->zone);
    known->is_alive = true;
    is_no_stranger(m, known->node);
    return known;
}

void members_all_dead(struct members *m)
{
    for (size_t i = 0; i < m->n; i++)
        m->all[i].is_alive = false;
}

void members_sweep(struct members *m, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->all[i].is_alive || m->all[i].asked > 0) {
            m->all[kept++] = m->all[i];
        } else {
            struct stranger *s = make_stranger(m, m->all[i].node);
            s->met_ms = 0;
            s->listed_ms = now_ms;
        }
    m->n = kept;
}

void members_free(struct members *m)
{
    free(m->all);
    forget_strangers(m);
    *m = (struct members){0};
}

size_t members_alive(const struct members *m)
{
    size_t alive = 0;
    for (size_t i = 0; i < m->n; i++)
        alive += m->all[i].is_alive;
    return alive;
}

static bool serves(const struct member *m, int64_t now_ms)
{
    return m->is_alive && m->url[0] && now_ms >= m->avoid_until_ms;
}

bool member_usable(const struct member *m, int64_t now_ms)
{
    return serves(m, now_ms) && breaker_would_allow(&m->breaker, now_ms);
}

bool member_is_slow(const struct member *m, int64_t now_ms)
{
    return serves(m, now_ms) && now_ms < m->slow_until_ms;
}
