#include "policy/want.h"

#include "policy/placement.h"

#define POLL_FIRST_MS     8
#define POLL_MOST_MS      64
#define CLAIM_EVERY       4 /* polls of a lock that another has, between tries to take it */
#define PATIENT_LOOK_MS   20
#define BATCH_NODES_IN_MS 5
#define NODES_GAP_MS      250
#define BUSY_MS           20 /* a few blocks at 10 to 25 Gb/s */

void want_begin(struct want *w, int64_t now_ms)
{
    w->since_ms = w->due_ms = now_ms;
    w->poll_ms = 0;
    w->claims = 0;
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

enum want_step want_next(struct want *w, const struct want_facts *f)
{
    if (!f->index_usable)
        return WANT_ORIGIN;
    if (want_is_over(w, f->now_ms))
        return WANT_ORIGIN;
    if (f->has_peer)
        return WANT_PEER;
    if (f->now_ms < w->due_ms)
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
    return w->claims++ % CLAIM_EVERY == 0 ? WANT_CLAIM : WANT_LOOK;
}

enum want_step want_claimed(bool is_ours, bool has_peer, bool has_peer_soon)
{
    return has_peer ? WANT_PEER : is_ours && !has_peer_soon ? WANT_YOURS : WANT_LATER;
}

void want_hurry(struct want *w, int64_t now_ms)
{
    if (!w->is_demanded)
        w->due_ms = now_ms;
    w->is_demanded = true;
}

int64_t want_batch_gap_ms(size_t nodes)
{
    return (int64_t)(nodes / BATCH_NODES_IN_MS);
}

int64_t want_look_gap_ms(size_t nodes)
{
    return (int64_t)(nodes * 8 / 5);
}

int64_t want_nodes_gap_ms(size_t nodes)
{
    return NODES_GAP_MS + (int64_t)nodes;
}

int64_t want_busy_ms(uint32_t random)
{
    return BUSY_MS + (int64_t)(random % BUSY_MS);
}
