/* Where the parts of a file lie, as its own beginning says: what is read at once, and not beyond.
 * Pure: bytes in, ranges out.
 *
 * safetensors: 8 bytes, the length of a JSON object; that, a member for each tensor; the tensors'
 * bytes. Source: https://github.com/huggingface/safetensors, "Format". What doesn't keep to it has
 * no layout here: it is read as any file. */
#ifndef WARMPATH_AGENT_LAYOUT_H
#define WARMPATH_AGENT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_HEADER_MAX (1u << 20) /* longer headers are not looked at */
#define LAYOUT_PARTS_MAX  16384      /* nor those of more parts */

struct layout_part {
    uint64_t from, to; /* bytes of the file */
};

/* In the file's order; the header is the first. */
struct layout {
    size_t n;
    struct layout_part parts[];
};

/* Does a file of this name have one? */
bool layout_is_known_name(const char *key);
/* How many bytes of the beginning are needed, by its first 8; 0: it has no layout. */
size_t layout_header_bytes(const unsigned char first[8], uint64_t size_bytes);
/* From so many bytes of the beginning; to be freed. NULL: it has none. */
struct layout *layout_parse(const void *header, size_t len, uint64_t size_bytes);
/* The part in which a byte lies, or an empty one. */
struct layout_part layout_find(const struct layout *l, uint64_t at);

#endif
