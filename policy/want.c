#include "policy/want.h"

#include "policy/placement.h"

#define POLL_FIRST_MS     8
#define POLL_MOST_MS      64
#define CLAIM_EVERY       4 /* polls of a lock that another has, between tries to take it */
#define PATIENT_LOOK_MS   20
#define TURN_LOOK_GAP_MS  20
#define BATCH_NODES_IN_MS 5
#define NODES_GAP_MS      250
#define BUSY_MS           20 /* a few blocks at 10 to 25 Gb/s */
#define GUESS_FIRST_MS    10
#define GUESS_QUICK_MS    40 /* the longest gap of the first few, which is what most need */
#define GUESSES_QUICK     16
#define GUESS_MOST_MS     640
#define GUESS_NEWS_MS     80 /* fifty nodes: the index is quicker than guesses where they are fewer */
#define TURN_MS           120 /* while it isn't known how long a GET takes */
#define TURN_LEAST_MS     60
#define TURN_MOST_MS      1000

const struct breaker_rules want_guess_rules = {
    .failures = 1024, .open_ms = 1000, .open_max_ms = 30000};

void want_start(struct want *w, int64_t now_ms)
{
    w->until_ms = now_ms + (w->is_demanded ? 1 : WANT_AHEAD_TIMES) * w->wait_ms;
}

void want_begin(struct want *w, int64_t now_ms)
{
    w->since_ms = w->due_ms = now_ms;
    w->poll_ms = 0;
    w->claims = 0;
    w->is_alone = false;
}

bool want_is_over(const struct want *w, int64_t now_ms)
{
    return now_ms >= w->until_ms;
}

bool want_needs_rank(const struct want *w)
{
    return !w->is_demanded && !w->was_patient;
}

static bool must_be_patient(struct want *w, const struct want_facts *f)
{
    if (w->is_demanded)
        return false;
    if (!w->was_patient) {
        w->was_patient = true;
        w->patient_until_ms = w->since_ms + placement_patience_ms(f->rank);
    }
    return f->now_ms < w->patient_until_ms;
}

int64_t want_guess_at_ms(const struct want *w, int64_t news_ms)
{
    bool was_asked = w->was_patient || w->claims > 0;
    bool is_worth_it = news_ms == WANT_NO_NEWS || (was_asked && news_ms >= GUESS_NEWS_MS);
    return is_worth_it ? w->guess_at_ms : INT64_MAX;
}

static bool should_guess(struct want *w, const struct want_facts *f)
{
    if (f->now_ms < want_guess_at_ms(w, f->news_ms))
        return false;
    if (!f->has_guess) /* perhaps later: who was busy, or isn't known yet */
        w->guess_at_ms = f->now_ms + GUESS_QUICK_MS;
    return f->has_guess;
}

void want_missed(struct want *w, int64_t now_ms)
{
    int64_t most_ms = w->guesses < GUESSES_QUICK ? GUESS_QUICK_MS : GUESS_MOST_MS;
    w->guess_gap_ms = w->guess_gap_ms == 0            ? GUESS_FIRST_MS
                      : w->guess_gap_ms * 2 < most_ms ? w->guess_gap_ms * 2
                                                      : most_ms;
    w->guess_at_ms = now_ms + w->guess_gap_ms;
    w->guesses++;
}

/* Without an index: how long a node of this rank waits for those before it. Each turn is two GETs
 * long and doubles the number of those who fetch. */
static int64_t turns_ms(size_t rank, int64_t fetch_ms)
{
    int64_t turn = fetch_ms == 0                  ? TURN_MS
                   : 2 * fetch_ms < TURN_LEAST_MS ? TURN_LEAST_MS
                   : 2 * fetch_ms > TURN_MOST_MS  ? TURN_MOST_MS
                                                  : 2 * fetch_ms;
    int64_t ms = 0;
    for (; rank > 0; rank /= 2)
        ms += turn;
    return ms;
}

int64_t want_fetch_ms(int64_t before_ms, int64_t took_ms)
{
    took_ms = took_ms > 0 ? took_ms : 1;
    return before_ms == 0 ? took_ms : (7 * before_ms + took_ms + 7) / 8;
}

static enum want_step without_index(struct want *w, const struct want_facts *f)
{
    if (!w->is_alone)
        w->since_ms = f->now_ms;
    w->is_alone = true;
    /* Somebody had its lock: it is about to have it. */
    int64_t turn = f->knows_readers ? turns_ms(f->rank + (w->claims > 0), f->fetch_ms) : 0;
    bool is_blind = !f->knows_readers && w->guesses < WANT_BLIND_GUESSES;
    bool waits = f->now_ms < w->since_ms + turn;
    if (!waits && !(is_blind && f->has_guess))
        return WANT_ORIGIN;
    if (should_guess(w, f))
        return WANT_GUESS;
    w->due_ms = w->guess_at_ms;
    return WANT_LATER;
}

enum want_step want_next(struct want *w, const struct want_facts *f)
{
    if (want_is_over(w, f->now_ms))
        return WANT_ORIGIN;
    if (f->has_peer)
        return WANT_PEER;
    if (!f->index_usable)
        return without_index(w, f);
    if (should_guess(w, f))
        return WANT_GUESS;
    if (f->now_ms < w->due_ms || !f->index_ready)
        return WANT_LATER;
    if (want_needs_rank(w) && !f->knows_readers)
        return WANT_READERS;
    if (must_be_patient(w, f)) {
        w->due_ms = f->now_ms + PATIENT_LOOK_MS;
        return WANT_LOOK;
    }
    w->poll_ms = w->poll_ms == 0                 ? POLL_FIRST_MS
                 : w->poll_ms * 2 < POLL_MOST_MS ? w->poll_ms * 2
                                                 : POLL_MOST_MS;
    w->due_ms = f->now_ms + w->poll_ms;
    if (f->has_peer_soon)
        return WANT_LOOK;
    if (w->claims++ % CLAIM_EVERY != 0)
        return WANT_LOOK;
    return f->has_far_peer ? WANT_CROSS : WANT_CLAIM;
}

enum want_step want_claimed(bool is_ours, bool has_peer, bool has_peer_soon)
{
    return has_peer ? WANT_PEER : is_ours && !has_peer_soon ? WANT_YOURS : WANT_LATER;
}

enum want_step want_crossed(struct want *w, bool is_ours, bool has_peer)
{
    w->crosses = is_ours && !has_peer;
    return w->crosses || has_peer ? WANT_PEER : WANT_LATER;
}

void want_hurry(struct want *w, int64_t now_ms)
{
    if (w->is_demanded)
        return;
    w->is_demanded = true;
    w->due_ms = now_ms;
    if (w->until_ms > now_ms + w->wait_ms)
        w->until_ms = now_ms + w->wait_ms;
}

int64_t want_batch_gap_ms(size_t nodes)
{
    return (int64_t)(nodes / BATCH_NODES_IN_MS);
}

int64_t want_look_gap_ms(size_t nodes)
{
    return (int64_t)(nodes * 8 / 5);
}

int64_t want_turn_look_gap_ms(size_t nodes)
{
    int64_t gap_ms = want_look_gap_ms(nodes);
    return gap_ms > TURN_LOOK_GAP_MS ? gap_ms : TURN_LOOK_GAP_MS;
}

int64_t want_nodes_gap_ms(size_t nodes)
{
    return NODES_GAP_MS + (int64_t)nodes;
}

int64_t want_busy_ms(uint32_t random)
{
    return BUSY_MS + (int64_t)(random % BUSY_MS);
}
