/* Where the parts of a file lie, as the file itself says (safetensors, GGUF, npz): what is read at
 * once, and not beyond. Pure: bytes in, ranges out.
 *
 * A scan tells which bytes it needs next, and is fed with them once somebody has read them:
 *
 *   layout_scan_new ──> needs bytes ──> fed ──> ended: layout_scan_take
 *                            └─────────<┘
 *
 * What doesn't keep to its format has no layout here: it is read as any file. Each format has its
 * own file, agent/layout_FORMAT.c, which names its source. */
#ifndef WARMPATH_AGENT_LAYOUT_H
#define WARMPATH_AGENT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_PIECE_MAX (1u << 20) /* a scan needs no more than that at once */
#define LAYOUT_PARTS_MAX 16384      /* files of more parts have no layout */

struct layout_part {
    uint64_t from, to; /* bytes of the file */
};

/* In the file's order, not empty, none begins inside another. */
struct layout {
    size_t n;
    struct layout_part parts[];
};

/* The part in which a byte lies, or an empty one. */
struct layout_part layout_find(const struct layout *l, uint64_t at);

struct layout_need {
    uint64_t at;
    size_t least_bytes; /* at most LAYOUT_PIECE_MAX, inside the file; 0: the scan has ended */
};

struct layout_scan;

/* NULL: no file of this name has a layout. */
struct layout_scan *layout_scan_new(const char *key, uint64_t size_bytes);
struct layout_need layout_scan_need(const struct layout_scan *s);
/* So far at least goes the header that the scan is in; 0: it isn't in one of which that is known.
 */
uint64_t layout_scan_header(const struct layout_scan *s);
/* The bytes from need.at on, need.least_bytes or more of them, as they are at hand. */
void layout_scan_feed(struct layout_scan *s, const void *data, size_t len);
/* Frees the scan. The layout, the caller's to free(); NULL: it has none, or the scan had not ended.
 */
struct layout *layout_scan_take(struct layout_scan *s);

#endif
