/* One pipeline of the index's thread while it is put together, and what each command was for. The
 * rooms that fill it: index_own.c (what this node holds, and look-ups), index_lock.c (who fetches
 * from the origin), index_want.c (blocks that are wanted). index_run.c sends it and deals out the
 * replies. Index's thread only; functions that take an index want its lock held. */
#ifndef WARMPATH_FETCH_INDEX_BATCH_H
#define WARMPATH_FETCH_INDEX_BATCH_H

#include "fetch/index_internal.h"

#define BATCH_MAX   512
#define ARENA_BYTES (256 * 1024)

enum batch_step_kind {
    STEP_PUT,
    STEP_KEEP,
    STEP_DROP,
    STEP_LOOK,
    STEP_CLAIM,
    STEP_CROSS,
    STEP_LOCK
};

struct batch_step {
    enum batch_step_kind kind;
    struct segment *segment;
    struct index_want *want;
};

struct index_batch {
    size_t n;
    struct redis_command commands[BATCH_MAX];
    struct batch_step steps[BATCH_MAX];
    size_t used;
    char arena[ARENA_BYTES];
};

/* Room for what one want, segment or lock may add? */
bool batch_has_room(const struct index_batch *b);
/* A new command; its name is borrowed, its key copied. */
struct redis_command *batch_add(struct index_batch *b, enum batch_step_kind kind, struct segment *s,
                                const char *name, const char *key);
/* Copies bytes to where they live as long as the batch. */
void *batch_keep(struct index_batch *b, const void *data, size_t len);
/* Arguments, copied. */
void batch_arg(struct index_batch *b, struct redis_command *c, const void *data, size_t len);
void batch_arg_number(struct index_batch *b, struct redis_command *c, int64_t number);

/* --- index_own.c --- */

/* What happened to own blocks; how much of it the batch had room for. */
size_t index_take_news(struct index *ix, struct index_batch *b);
void index_take_opened(struct index *ix, int64_t now);
void index_add_dirty(struct index *ix, struct index_batch *b, int64_t now);
/* It is used, and a while ago that its time to live was renewed. */
bool index_may_end(const struct segment *s, int64_t now);
/* Queues some of what index_announce() brought, if it is time. Without the lock. */
void index_look_at_found(struct index *ix, int64_t now);
/* A node that is gone for good stands in a segment: it is removed with the next batch, if it
 * isn't back by then. */
void index_note_leftover(struct index *ix, const struct segment *s, uint64_t node, int64_t now);
void index_add_leftovers(struct index *ix, struct index_batch *b, int64_t now);
/* The last of a batch: those of the queue that are done with leave it. */
void index_add_looks(struct index *ix, struct index_batch *b);

/* --- index_lock.c --- */

/* A lock's number: the block's, for the whole cluster or for this node's zone. */
static inline uint64_t index_lock_number(uint64_t block, bool is_zone)
{
    return block | (uint64_t)is_zone << 63;
}

#define INDEX_LOCK_KEY_SIZE 64
void index_lock_key(struct index *ix, const uint8_t *version, uint64_t number,
                    char out[INDEX_LOCK_KEY_SIZE]);
/* Redis has given us the lock of this block; with `release` it isn't needed after all. */
void index_note_lock(struct index *ix, const struct index_want *w, bool is_zone, int64_t now,
                     bool release);
/* The block (`id.number`) is announced: its locks go with the next batch. */
void index_end_locks(struct index *ix, struct segment_id id);
void index_take_ends(struct index *ix);
/* Renewals and releases that are due. */
void index_add_locks(struct index *ix, struct index_batch *b, int64_t now);

/* --- index_want.c --- */

/* Wants that need no question are moved to `answered`; where the batch is going to be sent
 * (`ready`), the questions of those that are due are added. */
void index_take_wants(struct index *ix, struct index_batch *b, int64_t now, bool ready,
                      struct index_want **answered);
/* The reply to a want's try to take the lock; NULL: there was none. All views are there. */
void index_take_claim(struct index *ix, const struct batch_step *claim, const redisReply *reply,
                      int64_t now, struct index_want **answered);
/* Tells those who wait. Without the lock. */
void index_hand_out(struct index_want *answered);

#endif
