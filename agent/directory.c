#include "agent/directory.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

void directory_clear(struct directory *d)
{
    free(d->text);
    free(d->at);
    free(d->cost);
    free(d->state);
    free(d->place_of);
    free(d->name_at);
    memset(d, 0, sizeof(*d));
}

const char *directory_name(const struct directory *d, uint32_t i)
{
    return d->text + d->at[i];
}

/* The policy borrows the arrays. */
static void hand_over(struct directory *d)
{
    d->siblings.state = d->state;
    d->siblings.cost = d->cost;
    d->siblings.orders[1].place_of = d->place_of;
    d->siblings.orders[1].name_at = d->name_at;
}

static void forget_order(struct directory *d)
{
    free(d->place_of);
    free(d->name_at);
    d->place_of = d->name_at = NULL;
    d->is_ordered = false;
    d->siblings.orders[1] = (struct sibling_order){0};
}

static void leave_first(struct directory *d, uint32_t n)
{
    siblings_shift(&d->siblings, n);
    uint32_t rest = d->siblings.n, cut = d->at[n];
    memmove(d->text, d->text + cut, d->text_len - cut);
    d->text_len -= cut;
    memmove(d->at, d->at + n, rest * sizeof(*d->at));
    memmove(d->cost, d->cost + n, rest * sizeof(*d->cost));
    memmove(d->state, d->state + n, rest * sizeof(*d->state));
    for (uint32_t i = 0; i < rest; i++)
        d->at[i] -= cut;
}

static void make_room(struct directory *d, size_t name_bytes)
{
    if (d->siblings.n == d->room) {
        d->room = d->room ? d->room * 2 : 64;
        d->at = must(realloc(d->at, d->room * sizeof(*d->at)));
        d->cost = must(realloc(d->cost, d->room * sizeof(*d->cost)));
        d->state = must(realloc(d->state, d->room * sizeof(*d->state)));
    }
    if (d->text_len + name_bytes > d->text_room) {
        d->text_room = (d->text_len + name_bytes) * 2;
        d->text = must(realloc(d->text, d->text_room));
    }
}

void directory_add(struct directory *d, const char *name, uint32_t cost_bytes)
{
    uint32_t n = d->siblings.n;
    size_t bytes = strlen(name) + 1;
    if (n > 0 && strcmp(name, directory_name(d, n - 1)) <= 0)
        return;
    if (d->is_ordered)
        forget_order(d);
    if (n == DIRECTORY_NAMES_MAX) {
        leave_first(d, DIRECTORY_NAMES_MAX / 2);
        n = d->siblings.n;
    }
    make_room(d, bytes);
    d->at[n] = (uint32_t)d->text_len;
    d->cost[n] = cost_bytes;
    d->state[n] = SIBLING_UNKNOWN;
    memcpy(d->text + d->text_len, name, bytes);
    d->text_len += bytes;
    d->siblings.n++;
    hand_over(d);
}

int64_t directory_find(const struct directory *d, const char *name)
{
    uint32_t low = 0, high = d->siblings.n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(name, directory_name(d, middle));
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int naturally(const void *a, const void *b, void *directory)
{
    const uint32_t *x = a, *y = b;
    return strverscmp(directory_name(directory, *x), directory_name(directory, *y));
}

static bool is_natural(const struct directory *d)
{
    for (uint32_t i = 1; i < d->siblings.n; i++)
        if (strverscmp(directory_name(d, i - 1), directory_name(d, i)) > 0)
            return false;
    return true;
}

void directory_order(struct directory *d)
{
    uint32_t n = d->siblings.n;
    if (d->is_ordered)
        return;
    d->is_ordered = true;
    if (is_natural(d))
        return;
    d->place_of = must_calloc(n, sizeof(*d->place_of));
    d->name_at = must_calloc(n, sizeof(*d->name_at));
    for (uint32_t i = 0; i < n; i++)
        d->name_at[i] = i;
    qsort_r(d->name_at, n, sizeof(*d->name_at), naturally, d);
    for (uint32_t i = 0; i < n; i++)
        d->place_of[d->name_at[i]] = i;
    hand_over(d);
}
