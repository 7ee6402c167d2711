#include "policy/rate.h"

#define WINDOW_MS   1000
#define YOUNG_MS    100 /* a shorter time tells nothing of a second */
#define LIFTED_MS   30000
#define LEAST_PER_S 10.0 /* S3 takes thousands */
#define WAIT_MAX_MS 2000

static void turn_window(struct rate *r, int64_t now_ms)
{
    int64_t passed_ms = now_ms - r->window_ms;
    if (r->window_ms && passed_ms < WINDOW_MS)
        return;
    r->sent_before = passed_ms < 2 * WINDOW_MS ? r->sent : 0;
    r->sent = r->answered = r->refused = 0;
    r->window_ms = now_ms;
}

int64_t rate_take(struct rate *r, int64_t now_ms)
{
    turn_window(r, now_ms);
    r->sent++;
    if (r->per_s > 0 && now_ms - r->cut_ms >= LIFTED_MS)
        r->per_s = 0;
    if (r->per_s <= 0)
        return 0;
    int64_t now_us = now_ms * 1000;
    if (r->next_us < now_us)
        r->next_us = now_us;
    int64_t wait_us = r->next_us - now_us;
    if (wait_us >= WAIT_MAX_MS * 1000L)
        return WAIT_MAX_MS; /* the queue is full: it goes with the last */
    r->next_us += (int64_t)(1e6 / r->per_s);
    return wait_us / 1000;
}

/* A burst that began this very moment would have gone on for the rest of its second. */
static double sent_per_s(const struct rate *r, int64_t now_ms)
{
    int64_t age_ms = now_ms - r->window_ms < YOUNG_MS ? YOUNG_MS : now_ms - r->window_ms;
    if (r->sent_before > 0)
        return r->sent > r->sent_before ? r->sent : r->sent_before;
    return (double)r->sent * WINDOW_MS / (double)(age_ms < WINDOW_MS ? age_ms : WINDOW_MS);
}

static void cut(struct rate *r, int64_t now_ms)
{
    double sent = sent_per_s(r, now_ms);
    double from = r->per_s > 0 && r->per_s < sent ? r->per_s : sent;
    r->per_s = 0.7 * from > LEAST_PER_S ? 0.7 * from : LEAST_PER_S;
    r->ceiling = from;
    r->cut_ms = r->grown_ms = now_ms;
}

static void grow(struct rate *r, int64_t now_ms)
{
    for (; r->per_s > 0 && now_ms - r->grown_ms >= 1000; r->grown_ms += 1000)
        r->per_s *= r->per_s < 0.85 * r->ceiling ? 1.25 : 1.05;
}

void rate_answer(struct rate *r, bool throttled, int64_t now_ms)
{
    turn_window(r, now_ms);
    r->answered++;
    r->refused += throttled;
    grow(r, now_ms);
    /* One storm, one cut. */
    if (throttled && r->refused > 1 && r->refused * 20 >= r->answered &&
        (!r->cut_ms || now_ms - r->cut_ms >= 1000))
        cut(r, now_ms);
}
