#include "agent/layouts.h"

#include <uthash.h>

#include "agent/here.h"
#include "common/alloc.h"
#include "common/cleanup.h"

/* A scan is fed so much at once where it needs less. */
#define PIECE_USUAL (64u << 10)
/* A header of which the end is not known yet is read so far ahead, and no further. */
#define HEADER_AHEAD (4u << 20)

struct known {
    UT_hash_handle hh;
    struct version_id id;     /* the table's key */
    struct layout_scan *scan; /* NULL: it has ended */
    struct layout *layout;    /* NULL: it has none, as far as is known */
};

static struct known *table; /* the longest unused first */

static void forget(struct known *k)
{
    HASH_DEL(table, k);
    if (k->scan)
        free(layout_scan_take(k->scan));
    free(k->layout);
    free(k);
}

/* NULL: there is none to be had for this name. */
static struct known *get(const struct version *v)
{
    struct known *k;
    HASH_FIND(hh, table, &v->id, sizeof(v->id), k);
    if (k) {
        HASH_DEL(table, k);
        HASH_ADD(hh, table, id, sizeof(k->id), k);
        return k;
    }
    struct layout_scan *scan = layout_scan_new(v->key, v->size_bytes);
    if (!scan)
        return NULL;
    if (HASH_COUNT(table) >= LAYOUTS_MAX)
        forget(table);
    k = must_calloc(1, sizeof(*k));
    k->id = v->id;
    k->scan = scan;
    HASH_ADD(hh, table, id, sizeof(k->id), k);
    return k;
}

/* As far as it comes with what is here. */
static void go_on(struct agent *a, const struct version *v, struct known *k)
{
    struct layout_need need;
    while ((need = layout_scan_need(k->scan)).least_bytes > 0) {
        size_t len = need.least_bytes > PIECE_USUAL ? need.least_bytes : PIECE_USUAL;
        CLEANUP_FREE char *data = must(malloc(len));
        size_t got = here_read(a, v, need.at, data, len);
        if (got < need.least_bytes)
            return;
        layout_scan_feed(k->scan, data, got);
    }
    k->layout = layout_scan_take(take_ptr(k->scan));
}

/* What is known of a header while it comes. */
static struct layout_part header_part(const struct layout_scan *scan, const struct version *v,
                                      uint64_t at)
{
    uint64_t to = layout_scan_header(scan);
    if (to == 0 || at >= to)
        return (struct layout_part){0, 0};
    to = v->size_bytes - to > HEADER_AHEAD ? to + HEADER_AHEAD : v->size_bytes;
    return (struct layout_part){0, to};
}

struct layout_part layouts_part(struct agent *a, const struct version *v, uint64_t at)
{
    static const struct layout_part none;
    struct known *k = version_blocks(v) > 1 ? get(v) : NULL;
    if (k && k->scan)
        go_on(a, v, k);
    if (k && k->scan)
        return header_part(k->scan, v, at);
    return k && k->layout ? layout_find(k->layout, at) : none;
}
