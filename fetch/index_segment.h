/* What is known of 512 blocks of one version: which of them this node holds, which others do. The
 * table is bounded: what wasn't used for longest is forgotten, and looked up again when needed.
 *
 * `own` members belong to the index's thread; `view` members are guarded by the index's lock; only
 * the index's thread makes and forgets segments, so that it may keep a pointer while it talks to
 * Redis. */
#ifndef WARMPATH_FETCH_INDEX_SEGMENT_H
#define WARMPATH_FETCH_INDEX_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uthash.h>

#include "fetch/index.h"

#define SEGMENT_BLOCKS 512
#define SEGMENT_BYTES  (SEGMENT_BLOCKS / 8)
#define SEGMENTS_MAX   32768
#define HOLDERS_MAX    512 /* of one segment; more are of no use */

#define SEGMENT_KEY_SIZE 40

struct segment_id {
    uint8_t version[INDEX_VERSION_BYTES];
    uint64_t number;
};

struct segment_holder {
    uint64_t node;
    const uint8_t *bits; /* of the segment's length */
};

struct segment {
    UT_hash_handle hh;
    struct segment *prev, *next; /* those that the next batch has to do with */
    bool is_queued;
    struct segment_id id;
    uint32_t n_blocks;          /* 1 to SEGMENT_BLOCKS */
    char key[SEGMENT_KEY_SIZE]; /* in Redis */

    uint8_t own[SEGMENT_BYTES];
    bool own_known;  /* the store was looked through */
    bool own_reads;  /* announce that this node reads the object */
    bool dirty;      /* Redis doesn't know it yet */
    bool look_up;    /* wanted in the next batch */
    int64_t kept_ms; /* its time to live was renewed then; 0: never */

    int64_t viewed_ms; /* 0: never looked up */
    uint32_t n_holders;
    uint64_t *nodes; /* n_holders of them, sorted as Redis sent them */
    uint8_t *bits;   /* bytes of each, segment_bytes() apart */
};

static inline uint64_t segment_number(uint64_t block)
{
    return block / SEGMENT_BLOCKS;
}

/* Of the segment that the block is in. */
static inline struct segment_id segment_id_of(const struct index_block *b)
{
    struct segment_id id;
    memset(&id, 0, sizeof(id));
    memcpy(id.version, b->version, sizeof(id.version));
    id.number = segment_number(b->block);
    return id;
}

static inline uint32_t segment_bytes(const struct segment *s)
{
    return (s->n_blocks + 7) / 8;
}

struct segment *segment_find(struct segment *table, const uint8_t *version, uint64_t number);
/* Finds or makes; the last used stand at the table's end. */
struct segment *segment_get(struct segment **table, const struct index_block *b,
                            const struct secret *secret);
/* Forgets the oldest beyond the limit. */
void segment_trim(struct segment **table);
void segment_free_all(struct segment **table);

void segment_set_own(struct segment *s, uint64_t block, bool held);
/* The value for Redis: its length, or -1 when the field is to be removed. At most SEGMENT_BYTES. */
int segment_encode_own(const struct segment *s, uint8_t *out);

/* Replaces the view. `values` as Redis sent them; nodes equal to `self` are left out. */
struct segment_value {
    uint64_t node;
    const uint8_t *data;
    size_t len;
};
void segment_set_view(struct segment *s, const struct segment_value *values, size_t n,
                      uint64_t self, int64_t now_ms);

/* Does the i-th holder hold this block (numbered in the version)? */
bool segment_holds(const struct segment *s, uint32_t holder, uint64_t block);
void segment_forget(struct segment *s, uint64_t node, uint64_t block);

/* "w{NAME}", 19 characters and a zero. */
#define INDEX_TAG_SIZE 20
void segment_tag(const struct secret *secret, const uint8_t *version, char out[INDEX_TAG_SIZE]);

/* Of a segment that need not be in the table. */
void segment_key(const struct secret *secret, const struct segment_id *id,
                 char out[SEGMENT_KEY_SIZE]);

#endif
