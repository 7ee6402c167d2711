/* One version of one object as this process sees it: its blocks, mapped once.
 *
 * Shared by all opens of the same version; reference-counted; lock-free. A block, once mapped,
 * stays until the object goes, so a reader holds nothing but its file. */
#ifndef WARMPATH_PRELOAD_OBJECT_H
#define WARMPATH_PRELOAD_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "common/wire.h"
#include "preload/target.h"

/* How the job said that it reads. */
enum object_advice { OBJECT_NORMAL, OBJECT_SEQUENTIAL, OBJECT_RANDOM };

/* What may be read of a block that is still being fetched: bytes [from, to), and the rest once it
 * is complete. One that is not to be mapped, as the agent has it in memory, is never complete. */
struct block_part {
    uint32_t from, to;
    bool complete;
    bool goes_on;   /* asking: the reader has some of the block already */
    bool maps;      /* asking: for a map of its own */
    uint8_t advice; /* asking: enum object_advice */
    uint32_t at;    /* asking: the byte that the reader is after; in [from, to) */
};

static inline void block_part_get(struct wire_buf *b, struct block_part *part)
{
    part->from = wire_get_u32(b);
    part->to = wire_get_u32(b);
    part->complete = wire_get_u8(b);
}

/* Block descriptors that one reader holds for large reads: [first, first + n) of an object. */
#define RUN_BLOCKS 8
struct run {
    uint64_t first;
    int n;
    int uses;
    struct block_part part; /* of the first; the others are complete */
    int fds[RUN_BLOCKS];
};

/* Who reads; its owner's alone while it does. */
struct reader {
    struct run *run; /* may be NULL, and may be replaced */
    uint8_t advice;  /* enum object_advice */
};

struct object {
    _Atomic uint32_t refs;         /* 0: free */
    const struct mapping *mapping; /* bucket and style */
    char key[WIRE_KEY_MAX + 1];
    char etag[WIRE_ETAG_MAX];
    uint64_t size_bytes;
    int64_t mtime_s;
    uint32_t block_bytes; /* a power of two */
    unsigned block_shift;
    uint64_t n_blocks;
    _Atomic(void *) *blocks; /* n_blocks of them; points to `only` for one */
    _Atomic(void *) only;
};

struct object_name {
    const struct mapping *mapping;
    const char *key;
    const char *etag;
    uint64_t size_bytes;
    int64_t mtime_s;
    uint32_t block_bytes;
};

/* The object of that name, with one more reference; NULL when memory is short. */
struct object *object_get(const struct object_name *name);
void object_unref(struct object *o);
/* One more reference for who has one. */
static inline void object_ref(struct object *o)
{
    atomic_fetch_add(&o->refs, 1);
}

/* A run that holds these descriptors (taken over, moved out of the job's way); NULL closes them. */
struct run *run_new(uint64_t first, const struct block_part *part, const int *fds, int n);
void run_free(struct run *r);
/* Forgets all runs; their descriptors are closed already. */
void run_forget_all(void);

/* Reads [offset, offset + n), which lies inside the object. n or -errno. */
ssize_t object_read(struct object *o, struct reader *reader, void *buf, size_t n, uint64_t offset);

/* The same where the whole range lies in one mapped block: the hit, without a system call or a
 * lock. False when it doesn't. */
static inline bool object_read_mapped(struct object *o, void *buf, size_t n, uint64_t offset)
{
    uint64_t index = offset >> o->block_shift;
    uint64_t inside = offset & (o->block_bytes - 1);
    const char *at = atomic_load_explicit(&o->blocks[index], memory_order_acquire);
    if (!at || inside + n > o->block_bytes)
        return false;
    memcpy(buf, at + inside, n);
    return true;
}

/* Asks the agent for blocks from `first` on: up to `at_most` descriptors (at least one), the
 * caller's. `part` says on entry which bytes of the first must be there; on return, which are.
 * Their number or -errno (the job's log was told). */
int object_fetch(struct object *o, uint64_t first, int at_most, struct block_part *part, int *fds);

/* The job will soon read bytes [from, to), which may lie beyond the object's end; or (not `wanted`)
 * will not after all. A hint: waits for nothing, and can't fail. errno is kept. */
void object_want(struct object *o, uint64_t from, uint64_t to, bool wanted);

/* Those of blocks [first, end) that the agent holds already; nothing is fetched. */
struct object_held {
    uint64_t next; /* where to go on asking */
    int n;
    uint64_t index[WIRE_MAX_FDS];
    int fds[WIRE_MAX_FDS]; /* the caller's */
};
/* 0 or -errno (the job's log was told). */
int object_ask_held(struct object *o, uint64_t first, uint64_t end, struct object_held *held);

static inline uint32_t object_block_len(const struct object *o, uint64_t index)
{
    uint64_t rest = o->size_bytes - (index << o->block_shift);
    return rest < o->block_bytes ? (uint32_t)rest : o->block_bytes;
}

#endif
