/* What this node holds, as the index tells it, and the look-ups of what others hold. */
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "fetch/index_batch.h"
#include "policy/placement.h"

#define OPENED_SEGMENTS 16 /* looked up at once: 32 GiB in blocks of 4 MiB */
#define KEEP_AGAIN_MS   3600000
/* Segments that were found in the store: so many at once, of so many blocks, as each is looked for;
 * and all nodes together some 4000 a second. */
#define FOUND_AT_ONCE     64
#define FOUND_BLOCKS_MOST 4096
#define FOUND_GAP_MS      50
#define FOUND_EACH_MS     4 /* nodes by segments of one of them */

/* --- segments that the next batch has to do with ------------------------------------- */

void index_queue(struct index *ix, struct segment *s)
{
    if (!s->is_queued)
        DL_APPEND(ix->queue, s);
    s->is_queued = true;
}

void index_look_up(struct index *ix, struct segment *s)
{
    s->look_up = true;
    index_queue(ix, s);
}

bool index_may_end(const struct segment *s, int64_t now)
{
    return s->kept_ms == 0 || now - s->kept_ms > KEEP_AGAIN_MS;
}

static void add_keep(struct index_batch *b, struct segment *s, int64_t now)
{
    s->kept_ms = now;
    batch_arg_number(b, batch_add(b, STEP_KEEP, s, "EXPIRE", s->key), INDEX_TTL_S);
}

static void add_own(struct index *ix, struct index_batch *b, struct segment *s, int64_t now)
{
    uint8_t value[SEGMENT_BYTES];
    int len = segment_encode_own(s, value);
    struct redis_command *c = batch_add(b, STEP_PUT, s, len < 0 ? "HDEL" : "HSET", s->key);
    redis_arg(c, &ix->config.node, sizeof(ix->config.node));
    if (len >= 0)
        batch_arg(b, c, value, (size_t)len);
    if (len >= 0 && index_may_end(s, now))
        add_keep(b, s, now);
    s->dirty = false;
}

void index_add_dirty(struct index *ix, struct index_batch *b, int64_t now)
{
    struct segment *s;
    DL_FOREACH(ix->queue, s)
    {
        if (s->dirty && batch_has_room(b))
            add_own(ix, b, s, now);
    }
}

void index_add_looks(struct index *ix, struct index_batch *b)
{
    struct segment *s, *next;
    DL_FOREACH_SAFE(ix->queue, s, next)
    {
        if (s->look_up && batch_has_room(b)) {
            s->look_up = false;
            batch_add(b, STEP_LOOK, s, "HGETALL", s->key);
        }
        if (!s->look_up && !s->dirty) {
            DL_DELETE(ix->queue, s);
            s->is_queued = false;
        }
    }
}

/* --- own blocks -------------------------------------------------------------------- */

/* What of this segment lies in the store? Once; from then on news keep it right.
 *
 * Without the lock: looking at hundreds of blocks takes milliseconds. A segment is this thread's
 * until it ends; what else happens to its blocks is among the news, which come after. */
static void know_own(struct index *ix, struct segment *s)
{
    if (s->own_known)
        return;
    s->own_known = true;
    struct index_block b;
    memcpy(b.version, s->id.version, sizeof(b.version));
    b.blocks = s->id.number * SEGMENT_BLOCKS + s->n_blocks;
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        b.block = s->id.number * SEGMENT_BLOCKS + i;
        if (ix->config.holds(ix->config.user, &b))
            segment_set_own(s, b.block, true);
    }
}

/* With the lock, which is let go of for as long as that takes. */
static void know_own_unlocked(struct index *ix, struct segment *s)
{
    if (s->own_known)
        return;
    pthread_mutex_unlock(&ix->lock);
    know_own(ix, s);
    pthread_mutex_lock(&ix->lock);
}

/* Removes nodes' entries of a segment: to be given as the command's further arguments. */
static struct redis_command *add_removal(struct index *ix, struct index_batch *b,
                                         const struct segment_id *id)
{
    char key[SEGMENT_KEY_SIZE];
    segment_key(&ix->config.secret, id, key);
    return batch_add(b, STEP_DROP, NULL, "HDEL", key);
}

/* A block of which nothing is known but its number: our entry for its segment goes. */
static void drop_unknown(struct index *ix, struct index_batch *b, const struct index_block *block)
{
    struct segment_id id = segment_id_of(block);
    redis_arg(add_removal(ix, b, &id), &ix->config.node, sizeof(ix->config.node));
}

/* With the lock, as the following. Takes as much news as the batch has room for. */
size_t index_take_news(struct index *ix, struct index_batch *b)
{
    size_t taken = 0;
    for (; taken < ix->n_news && batch_has_room(b); taken++) {
        const struct index_news n = ix->news[taken];
        struct segment *s =
            segment_find(ix->segments, n.block.version, segment_number(n.block.block));
        if (!s && n.block.blocks > n.block.block)
            s = segment_get(&ix->segments, &n.block, &ix->config.secret);
        if (!s) {
            drop_unknown(ix, b, &n.block);
            continue;
        }
        if (n.held)
            know_own_unlocked(ix, s);
        segment_set_own(s, n.block.block, n.held);
        index_queue(ix, s);
        struct segment_id id = s->id;
        id.number = n.block.block;
        index_end_locks(ix, id);
    }
    ix->n_news -= taken;
    if (ix->n_news > 0)
        memmove(ix->news, ix->news + taken, ix->n_news * sizeof(*ix->news));
    return taken;
}

void index_take_opened(struct index *ix, int64_t now)
{
    for (size_t i = 0; i < ix->n_opened; i++) {
        struct index_block b = ix->opened[i];
        for (int k = 0; k < OPENED_SEGMENTS && b.block < b.blocks; k++) {
            struct segment *s = segment_get(&ix->segments, &b, &ix->config.secret);
            know_own_unlocked(ix, s);
            if (b.block == 0 && b.blocks > PLACEMENT_EXTENT_BLOCKS && !s->own_reads)
                s->own_reads = s->dirty = true;
            s->look_up |= s->viewed_ms == 0 || now - s->viewed_ms > VIEW_FRESH_MS;
            index_queue(ix, s);
            b.block += SEGMENT_BLOCKS;
        }
    }
    ix->n_opened = 0;
}

/* --- once in a while --------------------------------------------------------------- */

/* Those that are due, with the lock; their number. */
static int take_found(struct index *ix, int64_t now, struct segment *due[FOUND_AT_ONCE])
{
    int n = 0;
    uint32_t blocks = 0;
    if (ix->n_found == 0 || !index_usable(ix) || now < ix->next_found_ms)
        return 0;
    while (n < FOUND_AT_ONCE && blocks < FOUND_BLOCKS_MOST && ix->n_found > 0) {
        due[n] = segment_get(&ix->segments, &ix->found[--ix->n_found], &ix->config.secret);
        blocks += due[n++]->n_blocks;
    }
    int64_t gap = (int64_t)index_nodes(ix) * n / FOUND_EACH_MS;
    ix->next_found_ms = now + (gap > FOUND_GAP_MS ? gap : FOUND_GAP_MS);
    return n;
}

void index_look_at_found(struct index *ix, int64_t now)
{
    struct segment *due[FOUND_AT_ONCE];
    pthread_mutex_lock(&ix->lock);
    int n = take_found(ix, now, due);
    pthread_mutex_unlock(&ix->lock);
    for (int i = 0; i < n; i++)
        know_own(ix, due[i]);
    pthread_mutex_lock(&ix->lock);
    for (int i = 0; i < n; i++)
        index_queue(ix, due[i]);
    bool wants_more = ix->n_found == 0 && ix->is_more_found;
    ix->is_more_found &= !wants_more;
    pthread_mutex_unlock(&ix->lock);
    if (wants_more)
        ix->config.tell_more(ix->config.user);
}

void index_note_leftover(struct index *ix, const struct segment *s, uint64_t node, int64_t now)
{
    if (ix->n_leftovers < LEFTOVERS_MAX && members_forgotten(&ix->members, node, now))
        ix->leftovers[ix->n_leftovers++] = (struct index_leftover){s->id, node};
}

void index_add_leftovers(struct index *ix, struct index_batch *b, int64_t now)
{
    struct redis_command *c = NULL;
    const struct index_leftover *last = NULL;
    size_t n = 0;
    for (; n < ix->n_leftovers && batch_has_room(b); n++) {
        const struct index_leftover *l = &ix->leftovers[n];
        if (!members_forgotten(&ix->members, l->node, now)) /* it came back meanwhile */
            continue;
        if (!c || c->n_args == REDIS_ARGS_MAX || memcmp(&last->id, &l->id, sizeof(l->id)) != 0)
            c = add_removal(ix, b, &l->id);
        batch_arg(b, c, &l->node, sizeof(l->node));
        last = l;
    }
    ix->n_leftovers -= n;
    memmove(ix->leftovers, ix->leftovers + n, ix->n_leftovers * sizeof(*ix->leftovers));
}
