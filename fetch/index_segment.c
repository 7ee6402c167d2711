#include "fetch/index_segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct segment_id make_id(const uint8_t *version, uint64_t number)
{
    struct segment_id id;
    memset(&id, 0, sizeof(id));
    memcpy(id.version, version, sizeof(id.version));
    id.number = number;
    return id;
}

struct segment *segment_find(struct segment *table, const uint8_t *version, uint64_t number)
{
    struct segment_id id = make_id(version, number);
    struct segment *s;
    HASH_FIND(hh, table, &id, sizeof(id), s);
    return s;
}

void segment_tag(const struct secret *secret, const uint8_t *version, char out[INDEX_TAG_SIZE])
{
    char name[17];
    secret_name(secret, "version", version, INDEX_VERSION_BYTES, name, 16);
    snprintf(out, INDEX_TAG_SIZE, "w{%s}", name);
}

void segment_key(const struct secret *secret, const struct segment_id *id,
                 char out[SEGMENT_KEY_SIZE])
{
    char tag[INDEX_TAG_SIZE];
    segment_tag(secret, id->version, tag);
    snprintf(out, SEGMENT_KEY_SIZE, "%ss%llu", tag, (unsigned long long)id->number);
}

struct segment *segment_get(struct segment **table, const struct index_block *b,
                            const struct secret *secret)
{
    struct segment_id id = segment_id_of(b);
    struct segment *s = segment_find(*table, b->version, id.number);
    if (s) { /* to the end: used last */
        HASH_DEL(*table, s);
        HASH_ADD(hh, *table, id, sizeof(s->id), s);
        return s;
    }
    s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->id = id;
    uint64_t rest = b->blocks - id.number * SEGMENT_BLOCKS;
    s->n_blocks = rest < SEGMENT_BLOCKS ? (uint32_t)rest : SEGMENT_BLOCKS;
    segment_key(secret, &id, s->key);
    HASH_ADD(hh, *table, id, sizeof(s->id), s);
    return s;
}

static void forget(struct segment **table, struct segment *s)
{
    HASH_DEL(*table, s);
    free(s->nodes);
    free(s->bits);
    free(s);
}

void segment_trim(struct segment **table)
{
    struct segment *s, *next;
    HASH_ITER(hh, *table, s, next)
    {
        if (HASH_COUNT(*table) <= SEGMENTS_MAX)
            return;
        if (!s->is_queued)
            forget(table, s);
    }
}

void segment_free_all(struct segment **table)
{
    struct segment *s, *next;
    HASH_ITER(hh, *table, s, next)
    {
        forget(table, s);
    }
}

/* --- bitmaps --------------------------------------------------------------------- */

static uint32_t bit_of(const struct segment *s, uint64_t block)
{
    return (uint32_t)(block - s->id.number * SEGMENT_BLOCKS);
}

void segment_set_own(struct segment *s, uint64_t block, bool held)
{
    uint32_t bit = bit_of(s, block);
    uint8_t mask = (uint8_t)(1u << bit % 8);
    if (bit >= s->n_blocks || !!(s->own[bit / 8] & mask) == held)
        return;
    s->own[bit / 8] ^= mask;
    s->dirty = true;
}

static bool is_full(const struct segment *s)
{
    for (uint32_t i = 0; i < s->n_blocks; i++)
        if (!(s->own[i / 8] & 1u << i % 8))
            return false;
    return true;
}

int segment_encode_own(const struct segment *s, uint8_t *out)
{
    int len = (int)segment_bytes(s);
    if (is_full(s))
        return 0;
    while (len > 0 && s->own[len - 1] == 0)
        len--;
    if (len == 0 && !s->own_reads)
        return -1;
    if (len == 0)
        len = 1; /* one zero byte: reads it, holds nothing yet */
    memcpy(out, s->own, (size_t)len);
    return len;
}

void segment_set_view(struct segment *s, const struct segment_value *values, size_t n,
                      uint64_t self, int64_t now_ms)
{
    uint32_t bytes = segment_bytes(s);
    s->viewed_ms = now_ms;
    s->n_holders = 0;
    if (n > HOLDERS_MAX)
        n = HOLDERS_MAX;
    free(s->nodes);
    free(s->bits);
    s->nodes = calloc(n + 1, sizeof(*s->nodes));
    s->bits = calloc(n + 1, bytes);
    if (!s->nodes || !s->bits)
        abort();
    for (size_t i = 0; i < n; i++) {
        if (values[i].node == self)
            continue;
        uint8_t *bits = s->bits + (size_t)s->n_holders * bytes;
        if (values[i].len == 0)
            memset(bits, 0xff, bytes);
        else
            memcpy(bits, values[i].data, values[i].len < bytes ? values[i].len : bytes);
        s->nodes[s->n_holders++] = values[i].node;
    }
}

bool segment_holds(const struct segment *s, uint32_t holder, uint64_t block)
{
    uint32_t bit = bit_of(s, block);
    return bit < s->n_blocks &&
           s->bits[(size_t)holder * segment_bytes(s) + bit / 8] & 1u << bit % 8;
}

void segment_forget(struct segment *s, uint64_t node, uint64_t block)
{
    uint32_t bit = bit_of(s, block);
    for (uint32_t i = 0; i < s->n_holders; i++)
        if (s->nodes[i] == node && bit < s->n_blocks)
            s->bits[(size_t)i * segment_bytes(s) + bit / 8] &= (uint8_t) ~(1u << bit % 8);
}
