/* The index's thread: takes what came in, sends it as one pipeline, hands out answers. What is done
 * for a want, and when, says policy/want. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "common/clock.h"
#include "fetch/index_batch.h"

/* --- replies -------------------------------------------------------------------------- */

static void take_view(struct index *ix, struct segment *s, const redisReply *reply, int64_t now)
{
    struct segment_value values[HOLDERS_MAX];
    uint8_t own[SEGMENT_BYTES];
    size_t n = 0;
    int own_len = segment_encode_own(s, own);
    bool own_right = own_len < 0;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *value = reply->element[i + 1];
        uint64_t node;
        if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
            field->len != sizeof(node))
            continue;
        memcpy(&node, field->str, sizeof(node));
        if (node == ix->config.node)
            own_right = (int)value->len == own_len && memcmp(value->str, own, value->len) == 0;
        else if (index_knows_gone(ix, node, now)) /* room is for those who are there */
            index_note_leftover(ix, s, node, now);
        else if (n < HOLDERS_MAX)
            values[n++] = (struct segment_value){node, (uint8_t *)value->str, (size_t)value->len};
    }
    segment_set_view(s, values, n, ix->config.node, now);
    ix->crowd = n > ix->crowd ? n : ix->crowd;
    bool ends = own_len >= 0 && index_may_end(s, now);
    if (s->own_known && (ends || !own_right)) { /* lost, or from before: say it again */
        s->dirty = true;
        index_queue(ix, s);
    }
}

static void take_replies(struct index *ix, struct index_batch *b, struct index_want **answered)
{
    int64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < b->n; i++) {
        const redisReply *reply = b->commands[i].reply;
        if (reply && b->steps[i].kind != STEP_LOCK) /* scripts may be forbidden */
            index_note_error(ix, reply);
    }
    pthread_mutex_lock(&ix->lock);
    for (size_t i = 0; i < b->n; i++) {
        const struct batch_step *step = &b->steps[i];
        const redisReply *reply = b->commands[i].reply;
        bool good = reply && reply->type != REDIS_REPLY_ERROR;
        if (step->kind == STEP_LOOK && good && reply->type == REDIS_REPLY_ARRAY)
            take_view(ix, step->segment, reply, now);
        if (step->kind == STEP_PUT && !good) {
            step->segment->dirty = true;
            step->segment->kept_ms = 0; /* its end may be lost as well */
            index_queue(ix, step->segment);
        }
    }
    for (size_t i = 0; i < b->n; i++) /* now that all views are there */
        if (b->steps[i].kind == STEP_CLAIM || b->steps[i].kind == STEP_CROSS)
            index_take_claim(ix, &b->steps[i], b->commands[i].reply, now, answered);
    pthread_mutex_unlock(&ix->lock);
}

/* --- the thread ------------------------------------------------------------------------ */

/* With the lock, as the following. */
static int64_t next_beat_ms(const struct index *ix)
{
    int64_t early = ix->beat_ms + want_nodes_gap_ms(index_nodes(ix));
    return ix->wants_beat && early < ix->next_beat_ms ? early : ix->next_beat_ms;
}

/* When there is something to do next. */
static int64_t next_ms(struct index *ix, int64_t now)
{
    int64_t next = next_beat_ms(ix);
    const struct index_want *w;
    const struct index_lock *l;
    bool usable = index_usable(ix);
    if (ix->n_news || ix->n_ends || ix->n_opened || ((ix->queue || ix->n_leftovers) && usable))
        return now;
    if (ix->n_found && usable && ix->next_found_ms < next)
        next = ix->next_found_ms;
    DL_FOREACH(ix->wants, w)
    {
        const struct want *t = &w->want;
        int64_t due = t->due_ms < t->until_ms ? t->due_ms : t->until_ms;
        next = due < next ? due : next;
    }
    for (l = ix->locks; l; l = l->hh.next)
        next = l->release ? now : l->renew_ms < next ? l->renew_ms : next;
    return next;
}

/* Guesses don't wait for Redis's turn. */
static int64_t next_guess_ms(struct index *ix)
{
    int64_t next = INT64_MAX;
    int64_t news_ms = index_news_ms(ix);
    const struct index_want *w;
    DL_FOREACH(ix->wants, w)
    {
        int64_t at = want_guess_at_ms(&w->want, news_ms);
        next = at < next ? at : next;
    }
    return next;
}

static void wait_for_work(struct index *ix)
{
    int64_t now = clock_monotonic_ms(), next;
    for (;;) {
        next = next_ms(ix, now);
        if (!ix->is_urgent && next < ix->next_batch_ms)
            next = ix->next_batch_ms;
        int64_t guess = next_guess_ms(ix);
        next = guess < next ? guess : next;
        if (ix->stopping || next <= now)
            break;
        struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
        pthread_cond_timedwait(&ix->wake, &ix->lock, &until);
        now = clock_monotonic_ms();
    }
}

/* While Redis is away nothing is sent but beats, and while it is full look-ups; what happened to
 * own blocks is remembered in the segments and announced when it is back. How much news was taken.
 */
static size_t put_together(struct index *ix, struct index_batch *b, int64_t now,
                           struct index_want **answered)
{
    bool usable = index_usable(ix);
    ix->is_urgent = false;
    size_t taken = index_take_news(ix, b);
    index_take_ends(ix);
    index_take_opened(ix, now);
    if (usable) {
        index_add_dirty(ix, b, now);
        index_add_leftovers(ix, b, now);
    }
    index_add_locks(ix, b, now);
    index_take_wants(ix, b, now, true, answered);
    if (!usable)
        b->n = 0;
    if (usable || ix->state == INDEX_FULL) /* it can still be asked */
        index_add_looks(ix, b);
    if (b->n > 0)
        ix->next_batch_ms = now + want_batch_gap_ms(index_nodes(ix));
    return taken;
}

static void run_batch(struct index *ix, struct index_batch *b)
{
    struct index_want *answered = NULL;
    size_t taken = 0;
    b->n = b->used = 0;
    index_look_at_found(ix, clock_monotonic_ms());
    pthread_mutex_lock(&ix->lock);
    wait_for_work(ix);
    int64_t now = clock_monotonic_ms();
    if (ix->is_urgent || ix->stopping || now >= ix->next_batch_ms)
        taken = put_together(ix, b, now, &answered);
    else
        index_take_wants(ix, b, now, false, &answered);
    pthread_mutex_unlock(&ix->lock);

    index_hand_out(answered);
    answered = NULL;
    if (b->n > 0) {
        index_call(ix, b->commands, b->n);
        take_replies(ix, b, &answered);
        redis_free_replies(b->commands, b->n);
        index_hand_out(answered);
    }
    pthread_mutex_lock(&ix->lock);
    ix->news_out += taken;
    pthread_cond_broadcast(&ix->flushed);
    segment_trim(&ix->segments);
    pthread_mutex_unlock(&ix->lock);
}

void *index_run(void *arg)
{
    struct index *ix = arg;
    struct index_batch *b = malloc(sizeof(*b));
    if (!b)
        abort();
    for (;;) {
        pthread_mutex_lock(&ix->lock);
        bool stopping = ix->stopping;
        bool beats = clock_monotonic_ms() >= next_beat_ms(ix) && !stopping;
        pthread_mutex_unlock(&ix->lock);
        if (beats) {
            index_beat(ix);
            ix->next_beat_ms = clock_monotonic_ms() + (index_usable(ix) ? BEAT_MS : BEAT_MS / 4);
        }
        run_batch(ix, b);
        if (stopping)
            break;
    }
    if (index_usable(ix))
        index_leave(ix);
    free(b);
    return NULL;
}
