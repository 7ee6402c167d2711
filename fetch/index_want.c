/* Blocks that are wanted: policy/want says what is to be done for each, from the facts that are
 * brought together here. */
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "fetch/index_batch.h"
#include "policy/placement.h"

/* How many of the nodes that read the same object come before this one. */
static size_t rank_among_readers(struct index *ix, const struct index_want *w)
{
    uint64_t nodes[HOLDERS_MAX], content;
    size_t n = index_known_readers(ix, w->what.version, nodes, HOLDERS_MAX);
    memcpy(&content, w->what.version, sizeof(content));
    return placement_rank(content, placement_extent(w->what.block), nodes, n, ix->config.node);
}

/* The segment where the readers stand. */
static struct segment *readers_of(struct index *ix, const struct index_want *w)
{
    struct index_block first = w->what;
    first.block = 0;
    return segment_get(&ix->segments, &first, &ix->config.secret);
}

static struct want_facts facts_for(struct index *ix, struct index_want *w, int64_t now)
{
    enum index_found found = index_find_peer(ix, w, NULL);
    struct want_facts f = {.now_ms = now,
                           .index_usable = index_usable(ix),
                           .has_peer = found == FOUND,
                           .has_peer_soon = found == FOUND_SOON};
    if (!want_needs_rank(&w->want) || !f.index_usable || f.has_peer || now < w->want.due_ms)
        return f;
    /* Who else reads it is only worth something while it is new. */
    const struct segment *s = readers_of(ix, w);
    f.knows_readers = s->viewed_ms != 0 && now - s->viewed_ms < VIEW_FRESH_MS;
    f.rank = f.knows_readers ? rank_among_readers(ix, w) : 0;
    return f;
}

/* The questions that a step brings. */
static void add_want(struct index *ix, struct index_batch *b, struct index_want *w,
                     enum want_step step, int64_t now)
{
    struct segment *s = segment_get(&ix->segments, &w->what, &ix->config.secret);
    char key[INDEX_LOCK_KEY_SIZE];
    if (step != WANT_LOOK || s->viewed_ms == 0 ||
        now - s->viewed_ms >= want_look_gap_ms(index_nodes(ix)))
        index_look_up(ix, s);
    if (step == WANT_READERS)
        index_look_up(ix, readers_of(ix, w));
    if (step != WANT_CLAIM)
        return;
    index_lock_key(ix, w->what.version, w->what.block, key);
    struct redis_command *c = batch_add(b, STEP_CLAIM, s, "SET", key);
    b->steps[b->n - 1].want = w;
    redis_arg(c, ix->token, strlen(ix->token));
    redis_arg(c, "NX", 2);
    redis_arg(c, "PX", 2);
    batch_arg_number(b, c, WANT_LOCK_MS);
}

static void answer(struct index *ix, struct index_want *w, enum want_step step,
                   struct index_want **answered)
{
    DL_DELETE(ix->wants, w);
    w->is_waiting = false;
    w->step = step; /* handed out without the lock */
    DL_APPEND(*answered, w);
}

void index_hand_out(struct index_want *answered)
{
    struct index_want *w;
    while ((w = answered)) {
        DL_DELETE(answered, w);
        w->answer(w, w->step == WANT_PEER    ? INDEX_PEER
                     : w->step == WANT_YOURS ? INDEX_YOURS
                                             : INDEX_ORIGIN); /* may free it */
    }
}

void index_take_wants(struct index *ix, struct index_batch *b, int64_t now,
                      struct index_want **answered)
{
    struct index_want *w, *next;
    DL_FOREACH_SAFE(ix->wants, w, next)
    {
        struct want_facts facts = facts_for(ix, w, now);
        if (now >= w->want.due_ms && !batch_has_room(b))
            continue;
        enum want_step step = want_next(&w->want, &facts);
        if (step == WANT_PEER || step == WANT_ORIGIN)
            answer(ix, w, step, answered);
        else if (step != WANT_LATER)
            add_want(ix, b, w, step, now);
    }
}

void index_take_claim(struct index *ix, struct index_want *w, const redisReply *reply, int64_t now,
                      struct index_want **answered)
{
    bool good = reply && reply->type != REDIS_REPLY_ERROR;
    bool is_ours = good && reply->type == REDIS_REPLY_STATUS;
    if (!good) {
        answer(ix, w, WANT_ORIGIN, answered);
        return;
    }
    enum index_found found = index_find_peer(ix, w, NULL);
    enum want_step step = want_claimed(is_ours, found == FOUND, found == FOUND_SOON);
    if (is_ours)
        index_note_lock(ix, w, now, step != WANT_YOURS);
    w->is_locked = step == WANT_YOURS;
    if (step != WANT_LATER)
        answer(ix, w, step, answered);
}
