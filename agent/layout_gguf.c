/* GGUF, versions 2 and 3, little endian:
 *
 *   "GGUF" u32 version, u64 tensors, u64 keys
 *   each key:     string name, u32 type, value
 *   each tensor:  string name, u32 dimensions, u64 each, u32 type, u64 offset
 *   padding to general.alignment (a key, 32 without it), the tensors' bytes at their offsets
 *
 * A string is u64 length and bytes; an array is u32 type, u64 length and values, which are no
 * arrays here. A tensor ends where the next begins: its length would take a table of the types,
 * which change. Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 * A tokenizer's arrays make headers of several MiB: values are passed over, not looked at, but the
 * length of each string has to be. */
#include <string.h>

#include "agent/layout_format.h"

#define HEADER_MAX     (32u << 20) /* of longer headers there is no layout */
#define NAME_MAX_BYTES 65535
#define DIMENSIONS_MAX 8
#define HEAD_BYTES     24

enum { TYPE_UINT32 = 4, TYPE_STRING = 8, TYPE_ARRAY = 9, N_TYPES = 13 };
static const uint8_t value_bytes[N_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* What is left of the bytes that came. */
struct view {
    const unsigned char *at;
    size_t left;
};

/* What a step found: go on behind so many bytes, which may be more than came; or look again with at
 * least so many; or there is no layout. */
struct step {
    enum { PASS, LACK, BAD } what;
    uint64_t bytes;
};

static struct step pass(uint64_t bytes)
{
    return (struct step){bytes <= HEADER_MAX ? PASS : BAD, bytes};
}

static struct step lack(uint64_t bytes)
{
    return (struct step){LACK, bytes};
}

static struct step bad(void)
{
    return (struct step){BAD, 0};
}

static struct step read_head(struct gguf_scan *g, struct view v)
{
    if (v.left < HEAD_BYTES)
        return lack(HEAD_BYTES);
    uint64_t version = layout_number(v.at + 4, 4);
    g->tensors_left = layout_number(v.at + 8, 8);
    g->keys_left = layout_number(v.at + 16, 8);
    if (memcmp(v.at, "GGUF", 4) != 0 || (version != 2 && version != 3) || g->tensors_left == 0 ||
        g->tensors_left >= LAYOUT_PARTS_MAX)
        return bad();
    g->next = GGUF_KEY;
    return pass(HEAD_BYTES);
}

/* The bytes of a string's length and itself; more than a header may have: of no string at all. */
static uint64_t string_bytes(const unsigned char *at)
{
    uint64_t len = layout_number(at, 8);
    return len <= HEADER_MAX ? 8 + len : UINT64_MAX;
}

/* `before` is what of this key lies before the array. */
static struct step read_array(struct gguf_scan *g, struct view v, uint64_t before)
{
    if (v.left < before + 12)
        return lack(before + 12);
    uint64_t type = layout_number(v.at + before, 4), n = layout_number(v.at + before + 4, 8);
    if (type >= N_TYPES || type == TYPE_ARRAY || n > HEADER_MAX)
        return bad();
    g->keys_left--;
    if (type == TYPE_STRING) {
        g->strings_left = n;
        g->next = GGUF_STRINGS;
    }
    return pass(before + 12 + n * value_bytes[type]);
}

static struct step read_key(struct gguf_scan *g, struct view v)
{
    static const char alignment[] = "general.alignment";
    if (v.left < 8)
        return lack(8);
    uint64_t name = string_bytes(v.at), before = name + 4;
    if (name > 8 + NAME_MAX_BYTES)
        return bad();
    if (v.left < before + 8) /* so much there is: behind the last value comes a tensor's name */
        return lack(before + 8);
    uint64_t type = layout_number(v.at + name, 4);
    if (type == TYPE_ARRAY)
        return read_array(g, v, before);
    if (type >= N_TYPES)
        return bad();
    g->keys_left--;
    if (type == TYPE_STRING) {
        uint64_t text = string_bytes(v.at + before);
        return text == UINT64_MAX ? bad() : pass(before + text);
    }
    if (type == TYPE_UINT32 && name == 8 + sizeof(alignment) - 1 &&
        memcmp(v.at + 8, alignment, sizeof(alignment) - 1) == 0)
        g->alignment = (uint32_t)layout_number(v.at + before, 4);
    return pass(before + value_bytes[type]);
}

static struct step read_string(struct gguf_scan *g, struct view v)
{
    if (v.left < 8)
        return lack(8);
    uint64_t bytes = string_bytes(v.at);
    g->strings_left--;
    return bytes == UINT64_MAX ? bad() : pass(bytes);
}

/* The offset counts from where the tensors' bytes begin, which the header's end will tell. */
static struct step read_tensor(struct layout_scan *s, struct view v)
{
    if (v.left < 8)
        return lack(8);
    uint64_t name = string_bytes(v.at);
    if (name > 8 + NAME_MAX_BYTES)
        return bad();
    if (v.left < name + 4)
        return lack(name + 4);
    uint64_t dimensions = layout_number(v.at + name, 4);
    uint64_t bytes = name + 4 + 8 * dimensions + 4 + 8;
    if (dimensions > DIMENSIONS_MAX)
        return bad();
    if (v.left < bytes)
        return lack(bytes);
    uint64_t offset = layout_number(v.at + bytes - 8, 8);
    if (offset >= s->size_bytes || !layout_scan_add(s, offset, s->size_bytes))
        return bad();
    s->gguf.tensors_left--;
    return pass(bytes);
}

static void done(struct layout_scan *s, uint64_t header_bytes)
{
    uint64_t alignment = s->gguf.alignment;
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > HEADER_MAX) {
        layout_scan_none(s);
        return;
    }
    uint64_t data = (header_bytes + alignment - 1) & ~(alignment - 1);
    for (size_t i = 0; i < s->layout->n; i++) {
        struct layout_part *part = &s->layout->parts[i];
        if (data >= s->size_bytes || part->from >= s->size_bytes - data) {
            layout_scan_none(s);
            return;
        }
        part->from += data;
    }
    if (layout_scan_add(s, 0, data))
        layout_scan_done(s);
    else
        layout_scan_none(s);
}

static struct step next_step(struct layout_scan *s, struct view v)
{
    struct gguf_scan *g = &s->gguf;
    if (g->next == GGUF_STRINGS && g->strings_left == 0)
        g->next = GGUF_KEY;
    if (g->next == GGUF_KEY && g->keys_left == 0)
        g->next = GGUF_TENSOR;
    switch (g->next) {
    case GGUF_HEAD:
        return read_head(g, v);
    case GGUF_STRINGS:
        return read_string(g, v);
    case GGUF_KEY:
        return read_key(g, v);
    case GGUF_TENSOR:
        return read_tensor(s, v);
    }
    return bad();
}

static void begin(struct layout_scan *s)
{
    s->gguf.alignment = 32;
    layout_scan_needs(s, 0, HEAD_BYTES);
}

/* Each string that is still to come has its length. */
static void wait_for(struct layout_scan *s, uint64_t at, uint64_t bytes)
{
    s->header_bytes = at + bytes + 8 * s->gguf.strings_left;
    layout_scan_needs(s, at, bytes);
}

static void feed(struct layout_scan *s, const unsigned char *data, size_t len)
{
    struct view v = {data, len};
    uint64_t at = s->need.at;
    for (;;) {
        struct step step = next_step(s, v);
        if (step.what == LACK) {
            wait_for(s, at, step.bytes);
            return;
        }
        if (step.what == BAD || step.bytes > HEADER_MAX - at) {
            layout_scan_none(s);
            return;
        }
        at += step.bytes;
        if (s->gguf.next == GGUF_TENSOR && s->gguf.tensors_left == 0) {
            done(s, at);
            return;
        }
        uint64_t here = step.bytes < v.left ? step.bytes : v.left;
        v.at += here;
        v.left -= (size_t)here;
        if (step.bytes > here || v.left == 0) {
            wait_for(s, at, 8);
            return;
        }
    }
}

const struct layout_format layout_gguf = {.ending = ".gguf", .begin = begin, .feed = feed};
