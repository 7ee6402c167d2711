#include "agent/layout.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 8

bool layout_is_known_name(const char *key)
{
    static const char ending[] = ".safetensors";
    size_t len = strlen(key);
    return len >= sizeof(ending) && strcmp(key + len - (sizeof(ending) - 1), ending) == 0;
}

size_t layout_header_bytes(const unsigned char first[8], uint64_t size_bytes)
{
    uint64_t len = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        len = len << 8 | first[i];
    bool fits =
        len >= 2 && len <= LAYOUT_HEADER_MAX - LENGTH_BYTES && len + LENGTH_BYTES < size_bytes;
    return fits ? (size_t)len + LENGTH_BYTES : 0;
}

static int by_place(const void *a, const void *b)
{
    const struct layout_part *one = a, *other = b;
    return one->from < other->from ? -1 : one->from > other->from;
}

/* "data_offsets": [from, to], counted from the header's end. False: it has none that can be. */
static bool take_part(json_t *tensor, uint64_t begin, uint64_t size_bytes, struct layout_part *part)
{
    json_t *offsets = json_object_get(tensor, "data_offsets");
    json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return false;
    json_int_t a = json_integer_value(from), b = json_integer_value(to);
    if (a < 0 || b < a || (uint64_t)b > size_bytes - begin)
        return false;
    *part = (struct layout_part){begin + (uint64_t)a, begin + (uint64_t)b};
    return true;
}

static struct layout *take_parts(json_t *root, uint64_t begin, uint64_t size_bytes)
{
    size_t most = json_object_size(root) + 1;
    struct layout *l =
        most <= LAYOUT_PARTS_MAX ? malloc(sizeof(*l) + most * sizeof(l->parts[0])) : NULL;
    const char *name;
    json_t *tensor;
    if (!l)
        return NULL;
    l->parts[0] = (struct layout_part){0, begin};
    l->n = 1;
    json_object_foreach(root, name, tensor)
    {
        struct layout_part *part = &l->parts[l->n];
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!take_part(tensor, begin, size_bytes, part)) {
            free(l);
            return NULL;
        }
        if (part->from < part->to)
            l->n++;
    }
    qsort(l->parts, l->n, sizeof(l->parts[0]), by_place);
    return l;
}

struct layout *layout_parse(const void *header, size_t len, uint64_t size_bytes)
{
    if (len < LENGTH_BYTES || len != layout_header_bytes(header, size_bytes))
        return NULL;
    json_t *root = json_loadb((const char *)header + LENGTH_BYTES, len - LENGTH_BYTES, 0, NULL);
    struct layout *l = json_is_object(root) ? take_parts(root, len, size_bytes) : NULL;
    json_decref(root);
    return l;
}

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
