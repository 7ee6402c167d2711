/* Other nodes that hold a block, or may: which one is asked, and what its answer says of it. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/log.h"
#include "fetch/http.h"
#include "fetch/index_internal.h"
#include "policy/placement.h"

#define AVOID_LIAR_MS 60000
/* A node that is there but silent is waited for, where nobody else has a block, as long as one that
 * was the only one to be asked. */
#define SLOW_MS (HTTP_WAIT_TIMES * SILENCE_FIRST_MOST_MS)

static const struct breaker_rules peer_rules = {
    .failures = 2, .open_ms = 1000, .open_max_ms = 30000};
/* One that says nothing is not tried a second time while others have the block: its death costs one
 * delay, however many blocks are asked of it. */
static const struct breaker_rules silent_rules = {
    .failures = 1, .open_ms = 1000, .open_max_ms = 30000};

static bool was_tried(const struct index_want *w, uint64_t node)
{
    for (uint32_t i = 0; i < w->n_tried; i++)
        if (w->tried[i] == node)
            return true;
    return false;
}

bool index_knows_gone(struct index *ix, uint64_t node, int64_t now_ms)
{
    return !members_find(&ix->members, node) &&
           members_met(&ix->members, node, now_ms) < ix->beat_ms;
}

/* It holds a block: may it be asked for it? */
static enum index_found judge(struct index *ix, uint64_t node, const struct member *m,
                              int64_t now_ms)
{
    if (!m && index_knows_gone(ix, node, now_ms))
        return FOUND_NONE;
    if (!m) {
        ix->wants_beat = true;
        return FOUND_SOON;
    }
    if (!member_usable(m, now_ms))
        return member_is_slow(m, now_ms) ? FOUND_SOON : FOUND_NONE;
    return now_ms < m->busy_until_ms ? FOUND_SOON : FOUND;
}

static bool takes_turns(const struct index_want *w)
{
    return !w->want.is_demanded && !w->is_far;
}

static void take(struct index *ix, struct index_want *w, struct member *m, int64_t now_ms,
                 struct index_peer *out)
{
    breaker_allows(&m->breaker, &peer_rules, now_ms);
    w->is_ahead = takes_turns(w);
    m->asked++;
    m->ahead += w->is_ahead;
    *out =
        (struct index_peer){.node = m->node,
                            .first_byte_most_ms = silence_first_most_ms(&m->silence, &ix->silence),
                            .gap_most_ms = silence_most_ms(&m->silence, &ix->silence)};
    memcpy(out->url, m->url, sizeof(out->url));
    w->tried[w->n_tried++] = m->node;
}

/* Does another node of this zone read the object? */
static bool shares_zone(struct index *ix, const struct index_want *w)
{
    const struct segment *first = segment_find(ix->segments, w->what.version, 0);
    for (uint32_t i = 0; first && i < first->n_holders; i++) {
        const struct member *m = members_find(&ix->members, first->nodes[i]);
        if (m && m->is_alive && m->distance == PLACEMENT_SAME_ZONE &&
            m->breaker.state == BREAKER_CLOSED)
            return true;
    }
    return false;
}

enum index_found index_find_peer(struct index *ix, struct index_want *w, struct index_peer *out)
{
    struct placement_holder holders[HOLDERS_MAX];
    enum index_found found = FOUND_NONE;
    size_t n = 0;
    uint64_t content;
    int64_t now = clock_monotonic_ms();
    const struct segment *s =
        segment_find(ix->segments, w->what.version, segment_number(w->what.block));
    if (!s || w->n_tried == INDEX_TRIES)
        return FOUND_NONE;
    bool may_cross = w->want.crosses || !index_usable(ix) || !shares_zone(ix, w);
    for (uint32_t i = 0; i < s->n_holders; i++) {
        if (!segment_holds(s, i, w->what.block) || was_tried(w, s->nodes[i]))
            continue;
        const struct member *m = members_find(&ix->members, s->nodes[i]);
        enum index_found may = judge(ix, s->nodes[i], m, now);
        bool far = m && m->distance == PLACEMENT_OTHER_REGION && !ix->config.other_regions;
        if (m && m->distance != PLACEMENT_SAME_ZONE && !may_cross) {
            if (may != FOUND_NONE && !far && found == FOUND_NONE)
                found = FOUND_FAR;
        } else if (may == FOUND)
            holders[n++] = (struct placement_holder){.node = m->node,
                                                     .distance = m->distance,
                                                     .asked = m->asked,
                                                     .is_last = w->want.is_demanded &&
                                                                m->breaker.state != BREAKER_CLOSED};
        else if (may == FOUND_SOON && !far)
            found = FOUND_SOON;
    }
    memcpy(&content, w->what.version, sizeof(content));
    size_t best = placement_pick(holders, n, content, w->what.block, ix->config.node,
                                 ix->config.other_regions);
    if (best == n)
        return found;
    struct member *m = members_find(&ix->members, holders[best].node);
    if (takes_turns(w) && m->ahead >= placement_at_once(m->distance))
        return FOUND_TURN;
    if (!out)
        return FOUND;
    take(ix, w, m, now, out);
    out->is_only = n == 1 && index_usable(ix) &&
                   now + HTTP_WAIT_TIMES * out->first_byte_most_ms <= w->want.until_ms;
    return FOUND;
}

size_t index_nodes(const struct index *ix)
{
    size_t members = members_alive(&ix->members);
    return members > ix->crowd ? members : ix->crowd;
}

int64_t index_news_ms(struct index *ix)
{
    return index_usable(ix) ? want_look_gap_ms(index_nodes(ix)) : WANT_NO_NEWS;
}

size_t index_known_readers(struct index *ix, const uint8_t *version, bool fit, uint64_t *nodes,
                           size_t most)
{
    size_t n = 0;
    const struct segment *first = segment_find(ix->segments, version, 0);
    for (uint32_t i = 0; first && i < first->n_holders && n < most; i++) {
        const struct member *m = members_find(&ix->members, first->nodes[i]);
        if (m && m->is_alive && m->distance != PLACEMENT_OTHER_REGION &&
            (!fit || m->breaker.state == BREAKER_CLOSED))
            nodes[n++] = m->node;
    }
    return n;
}

size_t index_readers(struct index *ix, const uint8_t version[INDEX_VERSION_BYTES], uint64_t *nodes,
                     size_t most)
{
    pthread_mutex_lock(&ix->lock);
    size_t n = index_known_readers(ix, version, false, nodes, most);
    pthread_mutex_unlock(&ix->lock);
    return n;
}

/* --- guesses ------------------------------------------------------------------------ */

bool index_knows_readers(struct index *ix, const struct index_want *w)
{
    const struct segment *first = segment_find(ix->segments, w->what.version, 0);
    return first && first->viewed_ms != 0;
}

size_t index_rank(struct index *ix, const struct index_want *w)
{
    uint64_t nodes[HOLDERS_MAX], content;
    size_t n = index_known_readers(ix, w->what.version, true, nodes, HOLDERS_MAX);
    memcpy(&content, w->what.version, sizeof(content));
    return placement_rank(content, placement_extent(w->what.block), nodes, n, ix->config.node);
}

/* Those that read the object; or all, where it isn't known who does, and can't be found out. */
static size_t all_suspects(struct index *ix, const struct index_want *w, uint64_t *nodes)
{
    size_t n = 0;
    if (index_usable(ix) || index_knows_readers(ix, w))
        return index_known_readers(ix, w->what.version, true, nodes, HOLDERS_MAX);
    for (size_t i = 0; i < ix->members.n && n < HOLDERS_MAX; i++) {
        const struct member *m = &ix->members.all[i];
        if (m->distance != PLACEMENT_OTHER_REGION && m->breaker.state == BREAKER_CLOSED)
            nodes[n++] = m->node;
    }
    return n;
}

bool index_guess_peer(struct index *ix, struct index_want *w, struct index_peer *out)
{
    uint64_t nodes[HOLDERS_MAX], content;
    int64_t now = clock_monotonic_ms();
    size_t fit = 0;
    if (w->n_tried == INDEX_TRIES || !breaker_would_allow(&ix->guessing, now))
        return false;
    size_t n = all_suspects(ix, w, nodes);
    bool near_only = index_usable(ix) && shares_zone(ix, w);
    for (size_t i = 0; i < n; i++) {
        const struct member *m = members_find(&ix->members, nodes[i]);
        if (near_only && m->distance != PLACEMENT_SAME_ZONE)
            continue;
        if (member_usable(m, now) && now >= m->busy_until_ms && !was_tried(w, nodes[i]))
            nodes[fit++] = nodes[i];
    }
    memcpy(&content, w->what.version, sizeof(content));
    size_t best =
        placement_guess(content, w->what.block, nodes, fit, ix->config.node, w->want.guesses);
    if (best < fit && out) {
        take(ix, w, members_find(&ix->members, nodes[best]), now, out);
        breaker_allows(&ix->guessing, &want_guess_rules, now);
    }
    return best < fit;
}

bool index_may_guess(struct index *ix, struct index_want *w)
{
    pthread_mutex_lock(&ix->lock);
    bool may = breaker_would_allow(&ix->guessing, clock_monotonic_ms());
    if (may && index_knows_readers(ix, w))
        may = index_rank(ix, w) > 0;
    else if (may)
        may = w->want.guesses < WANT_BLIND_GUESSES && index_guess_peer(ix, w, NULL);
    pthread_mutex_unlock(&ix->lock);
    return may;
}

/* --- for others --------------------------------------------------------------------- */

bool index_may_hold(struct index *ix, const struct index_block *b)
{
    struct index_want w = {.what = *b};
    pthread_mutex_lock(&ix->lock);
    const struct segment *s = segment_find(ix->segments, b->version, segment_number(b->block));
    bool known = s && s->viewed_ms > 0;
    bool holds = known ? index_find_peer(ix, &w, NULL) != FOUND_NONE : index_usable(ix);
    pthread_mutex_unlock(&ix->lock);
    return holds;
}

static size_t count_holders(struct index *ix, const struct index_block *b)
{
    size_t n = 0;
    const struct segment *s = segment_find(ix->segments, b->version, segment_number(b->block));
    for (uint32_t i = 0; s && i < s->n_holders; i++) {
        const struct member *m = members_find(&ix->members, s->nodes[i]);
        n += m && m->is_alive && m->distance != PLACEMENT_OTHER_REGION &&
             segment_holds(s, i, b->block);
    }
    return n;
}

size_t index_holders(struct index *ix, const struct index_block *b)
{
    pthread_mutex_lock(&ix->lock);
    size_t n = count_holders(ix, b);
    pthread_mutex_unlock(&ix->lock);
    return n;
}

/* While it waits for its turn: others who read it may have got the block meanwhile. */
static void refresh(struct index *ix, const struct index_want *w)
{
    uint64_t nodes[HOLDERS_MAX];
    struct segment *s = segment_find(ix->segments, w->what.version, segment_number(w->what.block));
    if (!s || clock_monotonic_ms() - s->viewed_ms < want_turn_look_gap_ms(index_nodes(ix)))
        return;
    if (count_holders(ix, &w->what) >=
        index_known_readers(ix, w->what.version, false, nodes, HOLDERS_MAX))
        return;
    index_look_up(ix, s);
    pthread_cond_signal(&ix->wake);
}

enum index_taken index_take_peer(struct index *ix, struct index_want *w, struct index_peer *out)
{
    pthread_mutex_lock(&ix->lock);
    bool guesses = w->step == WANT_GUESS;
    enum index_found found = index_find_peer(ix, w, out);
    if (found == FOUND_TURN)
        refresh(ix, w);
    w->step = WANT_LATER;
    w->is_guess = !index_is_peer(found) && guesses && index_guess_peer(ix, w, out);
    pthread_mutex_unlock(&ix->lock);
    return found == FOUND_TURN             ? INDEX_TAKE_LATER
           : found == FOUND || w->is_guess ? INDEX_TAKEN
                                           : INDEX_TAKE_NONE;
}

static uint32_t random_or(int64_t otherwise)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), 0) < 0)
        random = (uint32_t)otherwise;
    return random;
}

static void note_trouble(struct member *m, const struct index_peer *p, const char *why,
                         int64_t now_ms)
{
    bool was_fine = m->breaker.state == BREAKER_CLOSED;
    if (!m->trouble_since_s)
        m->trouble_since_s = clock_wall_s();
    breaker_failed(&m->breaker, p->was_silent ? &silent_rules : &peer_rules, now_ms,
                   random_or(now_ms));
    snprintf(m->why, sizeof(m->why), "%s", why);
    if (was_fine && m->breaker.state == BREAKER_OPEN)
        log_warn("peer", "%s is not asked for a while: %s", m->url, why);
}

/* With the lock. */
static void guess_ended(struct index *ix, struct index_want *w, enum peer_outcome how,
                        int64_t now_ms)
{
    if (how == PEER_GOOD)
        breaker_succeeded(&ix->guessing, now_ms);
    else if (how == PEER_MISSING)
        breaker_failed(&ix->guessing, &want_guess_rules, now_ms, random_or(now_ms));
    else
        breaker_forget(&ix->guessing, now_ms);
    w->n_tried -= how == PEER_MISSING; /* it may have it later */
    want_missed(&w->want, now_ms);
}

/* Silent, but there, and not yet waited for as long as it may be: once for each silence. */
static bool may_be_slow(struct member *m, const struct index_peer *p, int64_t now_ms)
{
    if (!p->was_silent || !p->was_reachable)
        return false;
    if (m->slow_until_ms == 0)
        m->slow_until_ms = now_ms + (p->is_only ? 0 : SLOW_MS);
    return now_ms < m->slow_until_ms;
}

void index_give_peer(struct index *ix, struct index_want *w, const struct index_peer *p,
                     enum peer_outcome how, const char *why)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&ix->lock);
    struct member *m = members_find(&ix->members, p->node);
    if (m && m->asked > 0)
        m->asked--;
    if (m && m->ahead > 0)
        m->ahead -= w->is_ahead;
    if (m && p->was_silent && p->first_byte_ms == 0)
        silence_lasted_first(&m->silence, p->first_byte_most_ms);
    else if (m && p->was_silent)
        silence_lasted(&m->silence, p->gap_most_ms);
    if (m && how == PEER_GOOD) {
        silence_ended(&m->silence, p->first_byte_ms, p->gap_ms);
        silence_ended(&ix->silence, p->first_byte_ms, p->gap_ms);
    }
    if (m && how == PEER_FAILED) {
        w->n_tried -= may_be_slow(m, p, now); /* the last that was taken */
        note_trouble(m, p, why, now);
    } else if (m && how == PEER_LIED) {
        m->avoid_until_ms = now + AVOID_LIAR_MS;
        note_trouble(m, p, why, now);
        log_warn("peer", "%s is not asked for a minute: %s", m->url, why);
    } else if (m) {
        breaker_succeeded(&m->breaker, now);
        m->trouble_since_s = m->slow_until_ms = 0;
    }
    if (m && how == PEER_BUSY)
        m->busy_until_ms = now + want_busy_ms(random_or(now));
    if (how == PEER_BUSY)
        w->n_tried--; /* likewise */
    if (w->is_guess)
        guess_ended(ix, w, how, now);
    pthread_mutex_unlock(&ix->lock);
}
