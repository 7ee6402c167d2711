/* Names of a directory's files, in the listing's order, with what policy/siblings knows of them.
 * Plain data; its owner's thread. */
#ifndef WARMPATH_AGENT_DIRECTORY_H
#define WARMPATH_AGENT_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/siblings.h"

#define DIRECTORY_NAMES_MAX 20000 /* beyond, the first names are left out */

/* All zero: empty. */
struct directory {
    struct siblings siblings;
    char *text; /* the names, each with its zero */
    size_t text_len, text_room;
    uint32_t *at; /* where in `text` each name begins */
    uint32_t *cost;
    uint8_t *state;
    uint32_t *place_of, *name_at; /* the natural order, where it is another one */
    uint32_t room;
    bool is_ordered; /* the natural order was looked at */
};

void directory_clear(struct directory *d);

/* Adds a name, which must come after all others (else it is ignored), and what it costs to fetch.
 */
void directory_add(struct directory *d, const char *name, uint32_t cost_bytes);

const char *directory_name(const struct directory *d, uint32_t i);

/* Which one it is, or -1. */
int64_t directory_find(const struct directory *d, const char *name);

/* Looks at the natural order, once after names were added. */
void directory_order(struct directory *d);

#endif
