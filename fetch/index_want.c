/* Blocks that are wanted: policy/want says what is to be done for each, from the facts that are
 * brought together here. */
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "fetch/index_batch.h"

/* The segment where the readers stand. */
static struct segment *readers_of(struct index *ix, const struct index_want *w)
{
    struct index_block first = w->what;
    first.block = 0;
    return segment_get(&ix->segments, &first, &ix->config.secret);
}

static void add_facts_without_index(struct index *ix, struct index_want *w, struct want_facts *f)
{
    f->has_guess = index_guess_peer(ix, w, NULL);
    f->knows_readers = index_knows_readers(ix, w) && breaker_would_allow(&ix->guessing, f->now_ms);
    f->rank = f->knows_readers ? index_rank(ix, w) : 0;
}

static struct want_facts facts_for(struct index *ix, struct index_want *w, int64_t now, bool ready)
{
    enum index_found found = index_find_peer(ix, w, NULL);
    struct want_facts f = {.now_ms = now,
                           .index_usable = index_usable(ix),
                           .news_ms = index_news_ms(ix),
                           .index_ready = ready,
                           .fetch_ms = ix->fetch_ms,
                           .has_peer = index_is_peer(found),
                           .has_peer_soon = found == FOUND_SOON,
                           .has_far_peer = found == FOUND_FAR};
    if (f.has_peer)
        return f;
    if (!f.index_usable) {
        add_facts_without_index(ix, w, &f);
        return f;
    }
    if (now >= want_guess_at_ms(&w->want, f.news_ms))
        f.has_guess = index_guess_peer(ix, w, NULL);
    if (!want_needs_rank(&w->want) || !ready || now < w->want.due_ms)
        return f;
    /* Who else reads it is only worth something while it is new. */
    const struct segment *s = readers_of(ix, w);
    f.knows_readers = s->viewed_ms != 0 && now - s->viewed_ms < VIEW_FRESH_MS;
    f.rank = f.knows_readers ? index_rank(ix, w) : 0;
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
    if (step != WANT_CLAIM && step != WANT_CROSS)
        return;
    index_lock_key(ix, w->what.version, index_lock_number(w->what.block, step == WANT_CROSS), key);
    struct redis_command *c =
        batch_add(b, step == WANT_CROSS ? STEP_CROSS : STEP_CLAIM, s, "SET", key);
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
        bool is_peer = w->step == WANT_PEER || w->step == WANT_GUESS;
        w->answer(w, is_peer                 ? INDEX_PEER
                     : w->step == WANT_YOURS ? INDEX_YOURS
                                             : INDEX_ORIGIN); /* may free it */
    }
}

void index_take_wants(struct index *ix, struct index_batch *b, int64_t now, bool ready,
                      struct index_want **answered)
{
    struct index_want *w, *next;
    DL_FOREACH_SAFE(ix->wants, w, next)
    {
        struct want_facts facts = facts_for(ix, w, now, ready && batch_has_room(b));
        enum want_step step = want_next(&w->want, &facts);
        if (step == WANT_PEER || step == WANT_GUESS || step == WANT_ORIGIN)
            answer(ix, w, step, answered);
        else if (step != WANT_LATER)
            add_want(ix, b, w, step, now);
    }
}

void index_take_claim(struct index *ix, const struct batch_step *claim, const redisReply *reply,
                      int64_t now, struct index_want **answered)
{
    struct index_want *w = claim->want;
    bool is_zone = claim->kind == STEP_CROSS;
    bool good = reply && reply->type != REDIS_REPLY_ERROR;
    bool is_ours = good && reply->type == REDIS_REPLY_STATUS;
    if (!good) {
        answer(ix, w, WANT_ORIGIN, answered);
        return;
    }
    enum index_found found = index_find_peer(ix, w, NULL);
    bool has_peer = index_is_peer(found);
    enum want_step step = is_zone
                              ? want_crossed(&w->want, is_ours, has_peer)
                              : want_claimed(is_ours, has_peer, !has_peer && found != FOUND_NONE);
    w->is_locked = step == WANT_YOURS || w->want.crosses;
    if (is_ours)
        index_note_lock(ix, w, is_zone, now, is_zone ? !w->want.crosses : step != WANT_YOURS);
    if (step != WANT_LATER)
        answer(ix, w, step, answered);
}
