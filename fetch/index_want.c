/* Blocks that are wanted: from whom, or whose turn it is to fetch them. See index_run.c. */
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "fetch/index_batch.h"
#include "policy/placement.h"

#define POLL_FIRST_MS   8
#define POLL_MOST_MS    64
#define CLAIM_EVERY     4 /* polls of a lock that another has, between tries to take it */
#define PATIENT_LOOK_MS 20

/* How long this node leaves the block to others that read the same object. */
static int64_t patience_ms(struct index *ix, const struct index_want *w)
{
    uint64_t nodes[HOLDERS_MAX], content;
    size_t n = 0;
    const struct segment *first = segment_find(ix->segments, w->what.version, 0);
    for (uint32_t i = 0; first && i < first->n_holders; i++) {
        const struct member *m = members_find(&ix->members, first->nodes[i]);
        if (m && m->is_alive && m->distance != PLACEMENT_OTHER_REGION)
            nodes[n++] = m->node;
    }
    memcpy(&content, w->what.version, sizeof(content));
    return placement_patience_ms(
        placement_rank(content, placement_extent(w->what.block), nodes, n, ix->config.node));
}

/* Who else reads it is only worth something while it is new. */
static bool knows_readers(struct index *ix, const struct index_want *w, int64_t now)
{
    struct index_block first = w->what;
    first.block = 0;
    struct segment *s = segment_get(&ix->segments, &first, &ix->config.secret);
    if (s->viewed_ms != 0 && now - s->viewed_ms < VIEW_FRESH_MS)
        return true;
    index_look_up(ix, s);
    return false;
}

static bool must_be_patient(struct index *ix, struct index_want *w, int64_t now)
{
    if (w->is_demanded)
        return false;
    if (!w->was_patient) {
        w->was_patient = true;
        w->patient_until_ms = w->since_ms + patience_ms(ix, w);
    }
    return now < w->patient_until_ms;
}

static void add_want(struct index *ix, struct index_batch *b, struct index_want *w, int64_t now)
{
    struct segment *s = segment_get(&ix->segments, &w->what, &ix->config.secret);
    char key[INDEX_LOCK_KEY_SIZE];
    index_look_up(ix, s);
    if (!w->is_demanded && !w->was_patient && !knows_readers(ix, w, now))
        return; /* they decide whose turn it is: look first */
    if (must_be_patient(ix, w, now)) {
        w->due_ms = now + PATIENT_LOOK_MS;
        return;
    }
    w->poll_ms = w->poll_ms == 0                 ? POLL_FIRST_MS
                 : w->poll_ms * 2 < POLL_MOST_MS ? w->poll_ms * 2
                                                 : POLL_MOST_MS;
    w->due_ms = now + w->poll_ms;
    if (w->claims++ % CLAIM_EVERY != 0)
        return;
    index_lock_key(ix, w->what.version, w->what.block, key);
    struct redis_command *c = batch_add(b, STEP_CLAIM, s, "SET", key);
    b->steps[b->n - 1].want = w;
    redis_arg(c, ix->token, strlen(ix->token));
    redis_arg(c, "NX", 2);
    redis_arg(c, "PX", 2);
    batch_arg_number(b, c, LOCK_MS);
}

static void answer(struct index *ix, struct index_want *w, enum index_answer a,
                   struct index_want **answered)
{
    DL_DELETE(ix->wants, w);
    w->is_waiting = false;
    w->poll_ms = (int64_t)a; /* its own part is over; handed out without the lock */
    DL_APPEND(*answered, w);
}

void index_hand_out(struct index_want *answered)
{
    struct index_want *w;
    while ((w = answered)) {
        DL_DELETE(answered, w);
        w->answer(w, (enum index_answer)w->poll_ms); /* may free it */
    }
}

void index_take_wants(struct index *ix, struct index_batch *b, int64_t now,
                      struct index_want **answered)
{
    struct index_want *w, *next;
    DL_FOREACH_SAFE(ix->wants, w, next)
    {
        if (!index_usable(ix))
            answer(ix, w, INDEX_ORIGIN, answered);
        else if (index_find_peer(ix, w, NULL))
            answer(ix, w, INDEX_PEER, answered);
        else if (now >= w->until_ms)
            answer(ix, w, INDEX_ORIGIN, answered);
        else if (now >= w->due_ms && batch_has_room(b))
            add_want(ix, b, w, now);
    }
}

void index_take_claim(struct index *ix, struct index_want *w, const redisReply *reply, int64_t now,
                      struct index_want **answered)
{
    bool good = reply && reply->type != REDIS_REPLY_ERROR;
    bool ours = good && reply->type == REDIS_REPLY_STATUS;
    if (!good) {
        answer(ix, w, INDEX_ORIGIN, answered);
        return;
    }
    if (index_find_peer(ix, w, NULL)) {
        if (ours)
            index_note_lock(ix, w, now, true);
        answer(ix, w, INDEX_PEER, answered);
    } else if (ours) {
        index_note_lock(ix, w, now, false);
        w->is_locked = true;
        answer(ix, w, INDEX_YOURS, answered);
    }
}
