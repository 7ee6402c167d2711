/* What a format (agent/layout_FORMAT.c) is to agent/layout.c, and what it may call there. All
 * bytes that it is fed are somebody else's: no number in them may be believed. */
#ifndef WARMPATH_AGENT_LAYOUT_FORMAT_H
#define WARMPATH_AGENT_LAYOUT_FORMAT_H

#include "agent/layout.h"

struct layout_format {
    const char *ending; /* of its files' names */
    /* Says what is needed first, or that there is no layout. */
    void (*begin)(struct layout_scan *s);
    /* Says what is needed next, or that it is done, or that there is no layout. */
    void (*feed)(struct layout_scan *s, const unsigned char *data, size_t len);
};

extern const struct layout_format layout_safetensors, layout_gguf, layout_npz;

/* layout_gguf.c's */
struct gguf_scan {
    enum { GGUF_HEAD, GGUF_KEY, GGUF_STRINGS, GGUF_TENSOR } next;
    uint64_t keys_left, strings_left, tensors_left;
    uint32_t alignment;
};

/* layout_npz.c's */
struct zip_scan {
    enum { ZIP_END, ZIP_LOCATOR, ZIP_END64, ZIP_DIRECTORY } next;
    uint64_t directory, directory_bytes; /* where it begins; its length */
};

struct layout_scan {
    const struct layout_format *format;
    uint64_t size_bytes;
    struct layout_need need;
    uint64_t header_bytes; /* so long is the header at least; set by formats that know */
    struct layout *layout; /* what was added so far; has room for `room` parts */
    size_t room;
    bool done;
    union {
        struct gguf_scan gguf;
        struct zip_scan zip;
    };
};

/* Each of these three is the last thing that a begin() or feed() does. A need that is not inside
 * the file, or too much, is none(). */
void layout_scan_needs(struct layout_scan *s, uint64_t at, uint64_t least_bytes);
void layout_scan_none(struct layout_scan *s);
/* Parts that reach into the next one are cut off there. */
void layout_scan_done(struct layout_scan *s);

/* In any order; an empty one is left out. False: it is not inside the file, or there are too many.
 */
bool layout_scan_add(struct layout_scan *s, uint64_t from, uint64_t to);

/* Little endian, as all of these formats have it. */
static inline uint64_t layout_number(const unsigned char *at, int n_bytes)
{
    uint64_t n = 0;
    while (n_bytes > 0)
        n = n << 8 | at[--n_bytes];
    return n;
}

#endif
