#include "agent/layout.h"

#include <stdlib.h>
#include <string.h>

#include "agent/layout_format.h"
#include "common/alloc.h"

#define ROOM_FIRST 64

static const struct layout_format *const formats[] = {&layout_safetensors, &layout_gguf,
                                                      &layout_npz};

static bool has_ending(const char *key, const char *ending)
{
    size_t len = strlen(key), ending_len = strlen(ending);
    return len > ending_len && strcmp(key + len - ending_len, ending) == 0;
}

/* --- scans -------------------------------------------------------------------------------- */

struct layout_scan *layout_scan_new(const char *key, uint64_t size_bytes)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (!has_ending(key, formats[i]->ending))
            continue;
        struct layout_scan *s = must_calloc(1, sizeof(*s));
        s->format = formats[i];
        s->size_bytes = size_bytes;
        s->format->begin(s);
        return s;
    }
    return NULL;
}

struct layout_need layout_scan_need(const struct layout_scan *s)
{
    return s->need;
}

uint64_t layout_scan_header(const struct layout_scan *s)
{
    return s->header_bytes < s->size_bytes ? s->header_bytes : s->size_bytes;
}

void layout_scan_feed(struct layout_scan *s, const void *data, size_t len)
{
    if (s->need.least_bytes > 0 && len >= s->need.least_bytes)
        s->format->feed(s, data, len);
}

struct layout *layout_scan_take(struct layout_scan *s)
{
    struct layout *l = s->done ? s->layout : NULL;
    if (!l)
        free(s->layout);
    free(s);
    return l;
}

/* --- for formats -------------------------------------------------------------------------- */

void layout_scan_none(struct layout_scan *s)
{
    s->need = (struct layout_need){0, 0};
}

void layout_scan_needs(struct layout_scan *s, uint64_t at, uint64_t least_bytes)
{
    bool fits = least_bytes > 0 && least_bytes <= LAYOUT_PIECE_MAX && at < s->size_bytes &&
                least_bytes <= s->size_bytes - at;
    s->need = fits ? (struct layout_need){at, (size_t)least_bytes} : (struct layout_need){0, 0};
}

bool layout_scan_add(struct layout_scan *s, uint64_t from, uint64_t to)
{
    if (from > to || to > s->size_bytes)
        return false;
    if (from == to)
        return true;
    size_t n = s->layout ? s->layout->n : 0;
    if (n == LAYOUT_PARTS_MAX)
        return false;
    if (n == s->room) {
        s->room = s->room ? 2 * s->room : ROOM_FIRST;
        s->layout =
            must(realloc(s->layout, sizeof(*s->layout) + s->room * sizeof(s->layout->parts[0])));
    }
    s->layout->parts[n] = (struct layout_part){from, to};
    s->layout->n = n + 1;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct layout_part *one = a, *other = b;
    return one->from < other->from ? -1 : one->from > other->from;
}

void layout_scan_done(struct layout_scan *s)
{
    struct layout *l = s->layout;
    s->need = (struct layout_need){0, 0};
    s->done = l != NULL;
    if (!l)
        return;
    size_t n = l->n;
    qsort(l->parts, n, sizeof(l->parts[0]), by_place);
    l->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct layout_part part = l->parts[i];
        if (i + 1 < n && part.to > l->parts[i + 1].from)
            part.to = l->parts[i + 1].from;
        if (part.from < part.to)
            l->parts[l->n++] = part;
    }
}

/* --- layouts ------------------------------------------------------------------------------ */

struct layout_part layout_find(const struct layout *l, uint64_t at)
{
    size_t low = 0, high = l->n; /* the last that begins at or before `at` lies in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (l->parts[middle].from <= at)
            low = middle;
        else
            high = middle;
    }
    struct layout_part part = l->parts[low];
    return at >= part.from && at < part.to ? part : (struct layout_part){0, 0};
}
