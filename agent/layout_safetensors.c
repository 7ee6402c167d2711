/* safetensors: 8 bytes, the length of a JSON object; that, a member for each tensor; the tensors'
 * bytes. Source: https://github.com/huggingface/safetensors, "Format". */
#include <jansson.h>
#include <string.h>

#include "agent/layout_format.h"

#define LENGTH_BYTES 8

static void begin(struct layout_scan *s)
{
    layout_scan_needs(s, 0, LENGTH_BYTES);
}

/* "data_offsets": [from, to], counted from the header's end. False: it has none that can be. */
static bool add_tensor(struct layout_scan *s, json_t *tensor, uint64_t header_bytes)
{
    json_t *offsets = json_object_get(tensor, "data_offsets");
    json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return false;
    json_int_t a = json_integer_value(from), b = json_integer_value(to);
    if (a < 0 || b < a || (uint64_t)b > s->size_bytes - header_bytes)
        return false;
    return layout_scan_add(s, header_bytes + (uint64_t)a, header_bytes + (uint64_t)b);
}

static bool add_tensors(struct layout_scan *s, json_t *root, uint64_t header_bytes)
{
    const char *name;
    json_t *tensor;
    json_object_foreach(root, name, tensor)
    {
        if (strcmp(name, "__metadata__") != 0 && !add_tensor(s, tensor, header_bytes))
            return false;
    }
    return true;
}

static void feed(struct layout_scan *s, const unsigned char *data, size_t len)
{
    uint64_t json_bytes = layout_number(data, LENGTH_BYTES);
    if (json_bytes < 2 || json_bytes >= LAYOUT_PIECE_MAX) {
        layout_scan_none(s);
        return;
    }
    size_t header_bytes = LENGTH_BYTES + (size_t)json_bytes;
    if (len < header_bytes || header_bytes > s->size_bytes) {
        layout_scan_needs(s, 0, header_bytes);
        return;
    }
    json_t *root = json_loadb((const char *)data + LENGTH_BYTES, (size_t)json_bytes, 0, NULL);
    bool fine = json_is_object(root) && layout_scan_add(s, 0, header_bytes) &&
                add_tensors(s, root, header_bytes);
    json_decref(root);
    if (fine)
        layout_scan_done(s);
    else
        layout_scan_none(s);
}

const struct layout_format layout_safetensors = {
    .ending = ".safetensors", .begin = begin, .feed = feed};
