/* The index's thread: takes what came in, sends it as one pipeline, hands out answers.
 *
 *   a want ─┬─ somebody holds it ────────────────────────────────────────────▶ PEER
 *           ├─ read ahead, another node's turn: look now and then, a while ──▶ (as below)
 *           └─ SET lock NX, then look who holds it
 *                  somebody does (give the lock back) ───────────────────────▶ PEER
 *                  the lock is ours ─────────────────────────────────────────▶ YOURS
 *                  another's: again soon, until `until_ms` ──────────────────▶ ORIGIN
 *
 * First the lock, then the look: a holder announces a block before it lets go of the lock, so
 * whoever finds no lock finds the block. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "common/clock.h"
#include "fetch/index_internal.h"
#include "policy/placement.h"

#define BATCH_MAX       512
#define ARENA_BYTES     (256 * 1024)
#define POLL_FIRST_MS   8
#define POLL_MOST_MS    64
#define CLAIM_EVERY     4  /* polls of a lock that another has, between tries to take it */
#define OPENED_SEGMENTS 16 /* looked up at once: 32 GiB in blocks of 4 MiB */
#define VIEW_FRESH_MS   1000
#define KEEP_AGAIN_MS   3600000
#define LOCK_OUR_MOST   20000 /* fetched, but never published: let go */
#define PATIENT_LOOK_MS 20

static const char release_script[] =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0";
static const char renew_script[] = "if redis.call('get',KEYS[1])==ARGV[1] then return "
                                   "redis.call('pexpire',KEYS[1],ARGV[2]) end return 0";

enum step_kind { STEP_PUT, STEP_KEEP, STEP_DROP, STEP_LOOK, STEP_CLAIM, STEP_LOCK };

struct step {
    enum step_kind kind;
    struct segment *segment;
    struct index_want *want;
};

struct batch {
    size_t n;
    struct redis_command commands[BATCH_MAX];
    struct step steps[BATCH_MAX];
    size_t used;
    char arena[ARENA_BYTES];
};

/* --- building a batch -------------------------------------------------------------- */

static bool has_room(const struct batch *b)
{
    return b->n + 4 <= BATCH_MAX && b->used + 1024 <= ARENA_BYTES;
}

static void *keep(struct batch *b, const void *data, size_t len)
{
    void *at = memcpy(b->arena + b->used, data, len);
    b->used += len;
    return at;
}

static struct redis_command *add(struct batch *b, enum step_kind kind, struct segment *s,
                                 const char *name, const char *key)
{
    struct redis_command *c = &b->commands[b->n];
    b->steps[b->n++] = (struct step){.kind = kind, .segment = s};
    *c = (struct redis_command){.key_at = 1};
    redis_arg(c, name, strlen(name));
    redis_arg(c, keep(b, key, strlen(key) + 1), strlen(key));
    return c;
}

static void add_kept(struct batch *b, struct redis_command *c, const void *data, size_t len)
{
    redis_arg(c, keep(b, data, len), len);
}

static void add_number(struct batch *b, struct redis_command *c, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    add_kept(b, c, text, (size_t)len);
}

static void lock_key(struct index *ix, const uint8_t *version, uint64_t block, char out[48])
{
    char tag[INDEX_TAG_SIZE];
    segment_tag(&ix->config.secret, version, tag);
    snprintf(out, 48, "%sl%llu", tag, (unsigned long long)block);
}

static void add_script(struct index *ix, struct batch *b, const char *script,
                       const struct segment_id *id)
{
    char key[48];
    lock_key(ix, id->version, id->number, key);
    struct redis_command *c = &b->commands[b->n];
    b->steps[b->n++] = (struct step){.kind = STEP_LOCK};
    *c = (struct redis_command){.key_at = 3};
    redis_arg(c, "EVAL", 4);
    redis_arg(c, script, strlen(script));
    redis_arg(c, "1", 1);
    add_kept(b, c, key, strlen(key));
    redis_arg(c, ix->token, strlen(ix->token));
    if (script == renew_script)
        add_number(b, c, LOCK_MS);
}

static void add_keep(struct batch *b, struct segment *s, int64_t now)
{
    s->kept_ms = now;
    add_number(b, add(b, STEP_KEEP, s, "EXPIRE", s->key), INDEX_TTL_S);
}

static void add_own(struct index *ix, struct batch *b, struct segment *s, int64_t now)
{
    uint8_t value[SEGMENT_BYTES];
    int len = segment_encode_own(s, value);
    struct redis_command *c = add(b, STEP_PUT, s, len < 0 ? "HDEL" : "HSET", s->key);
    redis_arg(c, &ix->config.node, sizeof(ix->config.node));
    if (len >= 0)
        add_kept(b, c, value, (size_t)len);
    if (len >= 0 && (s->kept_ms == 0 || now - s->kept_ms > KEEP_AGAIN_MS))
        add_keep(b, s, now);
    s->dirty = false;
}

void index_queue(struct index *ix, struct segment *s)
{
    if (!s->is_queued)
        DL_APPEND(ix->queue, s);
    s->is_queued = true;
}

static void look_up(struct index *ix, struct segment *s)
{
    s->look_up = true;
    index_queue(ix, s);
}

/* The last of a batch: those of the queue that are done with leave it. */
static void add_looks(struct index *ix, struct batch *b)
{
    struct segment *s, *next;
    DL_FOREACH_SAFE(ix->queue, s, next)
    {
        if (s->look_up && has_room(b)) {
            s->look_up = false;
            add(b, STEP_LOOK, s, "HGETALL", s->key);
        }
        if (!s->look_up && !s->dirty) {
            DL_DELETE(ix->queue, s);
            s->is_queued = false;
        }
    }
}

/* --- own blocks --------------------------------------------------------------------- */

/* What of this segment lies in the store? Once; from then on news keep it right. */
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

/* A block of which nothing is known but its number: our entry for its segment goes. */
static void drop_unknown(struct index *ix, struct batch *b, const struct index_block *block)
{
    char key[48], tag[INDEX_TAG_SIZE];
    segment_tag(&ix->config.secret, block->version, tag);
    snprintf(key, sizeof(key), "%ss%llu", tag, (unsigned long long)segment_number(block->block));
    struct redis_command *c = add(b, STEP_DROP, NULL, "HDEL", key);
    redis_arg(c, &ix->config.node, sizeof(ix->config.node));
}

/* With the lock, as the following. Takes as much news as the batch has room for. */
static size_t take_news(struct index *ix, struct batch *b)
{
    size_t taken = 0;
    for (; taken < ix->n_news && has_room(b); taken++) {
        const struct index_news *n = &ix->news[taken];
        struct segment *s =
            segment_find(ix->segments, n->block.version, segment_number(n->block.block));
        if (!s && n->block.blocks > n->block.block)
            s = segment_get(&ix->segments, &n->block, &ix->config.secret);
        if (!s) {
            drop_unknown(ix, b, &n->block);
            continue;
        }
        if (n->held)
            know_own(ix, s);
        segment_set_own(s, n->block.block, n->held);
        index_queue(ix, s);
        struct segment_id id = s->id;
        id.number = n->block.block;
        struct index_lock *l;
        HASH_FIND(hh, ix->locks, &id, sizeof(id), l);
        if (l)
            l->release = true;
    }
    ix->n_news -= taken;
    if (ix->n_news > 0)
        memmove(ix->news, ix->news + taken, ix->n_news * sizeof(*ix->news));
    return taken;
}

static void take_opened(struct index *ix, int64_t now)
{
    for (size_t i = 0; i < ix->n_opened; i++) {
        struct index_block b = ix->opened[i];
        for (int k = 0; k < OPENED_SEGMENTS && b.block < b.blocks; k++) {
            struct segment *s = segment_get(&ix->segments, &b, &ix->config.secret);
            know_own(ix, s);
            if (b.block == 0 && b.blocks > PLACEMENT_EXTENT_BLOCKS && !s->own_reads)
                s->own_reads = s->dirty = true;
            s->look_up |= s->viewed_ms == 0 || now - s->viewed_ms > VIEW_FRESH_MS;
            index_queue(ix, s);
            b.block += SEGMENT_BLOCKS;
        }
    }
    ix->n_opened = 0;
}

static void add_dirty(struct index *ix, struct batch *b, int64_t now)
{
    struct segment *s;
    DL_FOREACH(ix->queue, s)
    {
        if (s->dirty && has_room(b))
            add_own(ix, b, s, now);
    }
}

/* --- locks --------------------------------------------------------------------------- */

static void take_ends(struct index *ix)
{
    for (size_t i = 0; i < ix->n_ends; i++) {
        struct index_lock *l;
        HASH_FIND(hh, ix->locks, &ix->ends[i].id, sizeof(ix->ends[i].id), l);
        if (l && !ix->ends[i].ok)
            l->release = true; /* a good block lets go when it is published */
    }
    ix->n_ends = 0;
}

static void add_locks(struct index *ix, struct batch *b, int64_t now)
{
    struct index_lock *l, *next;
    HASH_ITER(hh, ix->locks, l, next)
    {
        if (!has_room(b))
            return;
        if (l->release || now >= l->give_up_ms) {
            if (l->release)
                add_script(ix, b, release_script, &l->id);
            HASH_DEL(ix->locks, l);
            free(l);
        } else if (now >= l->renew_ms) {
            add_script(ix, b, renew_script, &l->id);
            l->renew_ms = now + LOCK_RENEW_MS;
        }
    }
}

static void note_lock(struct index *ix, const struct index_want *w, int64_t now, bool release)
{
    struct index_lock *l = calloc(1, sizeof(*l));
    if (!l)
        abort();
    memcpy(l->id.version, w->what.version, sizeof(l->id.version));
    l->id.number = w->what.block;
    l->renew_ms = now + LOCK_RENEW_MS;
    l->give_up_ms = now + LOCK_OUR_MOST;
    l->release = release;
    struct index_lock *old;
    HASH_FIND(hh, ix->locks, &l->id, sizeof(l->id), old);
    if (old) {
        HASH_DEL(ix->locks, old);
        free(old);
    }
    HASH_ADD(hh, ix->locks, id, sizeof(l->id), l);
}

/* --- wants --------------------------------------------------------------------------- */

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
    look_up(ix, s);
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

static void add_want(struct index *ix, struct batch *b, struct index_want *w, int64_t now)
{
    struct segment *s = segment_get(&ix->segments, &w->what, &ix->config.secret);
    char key[48];
    look_up(ix, s);
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
    lock_key(ix, w->what.version, w->what.block, key);
    struct redis_command *c = add(b, STEP_CLAIM, s, "SET", key);
    b->steps[b->n - 1].want = w;
    redis_arg(c, ix->token, strlen(ix->token));
    redis_arg(c, "NX", 2);
    redis_arg(c, "PX", 2);
    add_number(b, c, LOCK_MS);
}

static void answer(struct index *ix, struct index_want *w, enum index_answer a,
                   struct index_want **answered)
{
    DL_DELETE(ix->wants, w);
    w->is_waiting = false;
    w->poll_ms = (int64_t)a; /* its own part is over; handed out without the lock */
    DL_APPEND(*answered, w);
}

static void hand_out(struct index_want *answered)
{
    struct index_want *w;
    while ((w = answered)) {
        DL_DELETE(answered, w);
        w->answer(w, (enum index_answer)w->poll_ms); /* may free it */
    }
}

/* Those that need no question, and the questions of those that are due. */
static void take_wants(struct index *ix, struct batch *b, int64_t now, struct index_want **answered)
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
        else if (now >= w->due_ms && has_room(b))
            add_want(ix, b, w, now);
    }
}

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
            field->len != sizeof(node) || n == HOLDERS_MAX)
            continue;
        memcpy(&node, field->str, sizeof(node));
        if (node == ix->config.node)
            own_right = (int)value->len == own_len && memcmp(value->str, own, value->len) == 0;
        else
            values[n++] = (struct segment_value){node, (uint8_t *)value->str, (size_t)value->len};
    }
    segment_set_view(s, values, n, ix->config.node, now);
    if (s->own_known && !own_right) { /* lost, or from before: say it again */
        s->dirty = true;
        index_queue(ix, s);
    }
}

static void take_claim(struct index *ix, struct index_want *w, const redisReply *reply, int64_t now,
                       struct index_want **answered)
{
    bool ours = reply->type == REDIS_REPLY_STATUS;
    if (index_find_peer(ix, w, NULL)) {
        if (ours)
            note_lock(ix, w, now, true);
        answer(ix, w, INDEX_PEER, answered);
    } else if (ours) {
        note_lock(ix, w, now, false);
        w->is_locked = true;
        answer(ix, w, INDEX_YOURS, answered);
    }
}

static void take_replies(struct index *ix, struct batch *b, struct index_want **answered)
{
    int64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < b->n; i++) {
        const redisReply *reply = b->commands[i].reply;
        if (reply && b->steps[i].kind != STEP_LOCK) /* scripts may be forbidden */
            index_note_error(ix, reply);
    }
    pthread_mutex_lock(&ix->lock);
    for (size_t i = 0; i < b->n; i++) {
        const struct step *step = &b->steps[i];
        const redisReply *reply = b->commands[i].reply;
        bool good = reply && reply->type != REDIS_REPLY_ERROR;
        if (step->kind == STEP_LOOK && good && reply->type == REDIS_REPLY_ARRAY)
            take_view(ix, step->segment, reply, now);
        if (step->kind == STEP_PUT && !good) {
            step->segment->dirty = true;
            index_queue(ix, step->segment);
        }
    }
    for (size_t i = 0; i < b->n; i++) { /* now that all views are there */
        const struct step *step = &b->steps[i];
        const redisReply *reply = b->commands[i].reply;
        if (step->kind == STEP_CLAIM && reply && reply->type != REDIS_REPLY_ERROR)
            take_claim(ix, step->want, reply, now, answered);
        else if (step->kind == STEP_CLAIM)
            answer(ix, step->want, INDEX_ORIGIN, answered);
    }
    pthread_mutex_unlock(&ix->lock);
}

/* --- the thread ------------------------------------------------------------------------ */

/* With the lock: when there is something to do next. */
static int64_t next_ms(struct index *ix, int64_t now)
{
    int64_t next = ix->next_beat_ms;
    const struct index_want *w;
    const struct index_lock *l;
    if (ix->n_news || ix->n_ends || ix->n_opened || (ix->queue && index_usable(ix)))
        return now;
    DL_FOREACH(ix->wants, w)
    {
        int64_t due = w->due_ms < w->until_ms ? w->due_ms : w->until_ms;
        next = due < next ? due : next;
    }
    for (l = ix->locks; l; l = l->hh.next)
        next = l->release ? now : l->renew_ms < next ? l->renew_ms : next;
    return next;
}

static void wait_for_work(struct index *ix)
{
    int64_t now = clock_monotonic_ms(), next;
    while (!ix->stopping && (next = next_ms(ix, now)) > now) {
        struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
        pthread_cond_timedwait(&ix->wake, &ix->lock, &until);
        now = clock_monotonic_ms();
    }
}

/* While Redis is away nothing is sent but beats; what happened to own blocks is remembered in the
 * segments and announced when it is back. */
static void run_batch(struct index *ix, struct batch *b)
{
    struct index_want *answered = NULL;
    b->n = b->used = 0;
    pthread_mutex_lock(&ix->lock);
    wait_for_work(ix);
    int64_t now = clock_monotonic_ms();
    bool usable = index_usable(ix);
    size_t taken = take_news(ix, b);
    take_ends(ix);
    take_opened(ix, now);
    if (usable)
        add_dirty(ix, b, now);
    add_locks(ix, b, now);
    take_wants(ix, b, now, &answered);
    if (usable)
        add_looks(ix, b);
    else
        b->n = 0;
    pthread_mutex_unlock(&ix->lock);

    hand_out(answered);
    answered = NULL;
    if (b->n > 0) {
        index_call(ix, b->commands, b->n);
        take_replies(ix, b, &answered);
        redis_free_replies(b->commands, b->n);
        hand_out(answered);
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
    struct batch *b = malloc(sizeof(*b));
    if (!b)
        abort();
    for (;;) {
        pthread_mutex_lock(&ix->lock);
        bool stopping = ix->stopping;
        pthread_mutex_unlock(&ix->lock);
        if (clock_monotonic_ms() >= ix->next_beat_ms && !stopping) {
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
