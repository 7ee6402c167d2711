#include "policy/rate.h"

#define WINDOW_MS    500
#define CUT_EVERY_MS 1000
#define LIFTED_MS    30000
#define LEAST_PER_S  1.0

/* Counts what is sent in half seconds, four fifths of weight on the newest. */
static void measure(struct rate *r, int64_t now_ms)
{
    int64_t passed_ms = now_ms - r->window_ms;
    if (r->window_ms == 0 || passed_ms < 0) {
        r->window_ms = now_ms;
    } else if (passed_ms >= WINDOW_MS) {
        double now = r->sent * 1000.0 / (double)passed_ms;
        r->measured = r->measured > 0 ? 0.8 * now + 0.2 * r->measured : now;
        r->window_ms = now_ms;
        r->sent = 0;
    }
    r->sent++;
}

int64_t rate_take(struct rate *r, int64_t now_ms)
{
    measure(r, now_ms);
    if (r->per_s > 0 && now_ms - r->cut_ms >= LIFTED_MS)
        r->per_s = 0;
    if (r->per_s <= 0)
        return 0;
    int64_t now_us = now_ms * 1000;
    if (r->next_us < now_us)
        r->next_us = now_us;
    int64_t wait_us = r->next_us - now_us;
    r->next_us += (int64_t)(1e6 / r->per_s);
    return wait_us / 1000;
}

static void cut(struct rate *r, int64_t now_ms)
{
    if (r->cut_ms && now_ms - r->cut_ms < CUT_EVERY_MS)
        return; /* one storm, one cut */
    int64_t passed_ms = now_ms - r->window_ms;
    double sent = r->measured;
    if (sent <= 0) /* the first half second is not over */
        sent = r->sent * 1000.0 / (double)(passed_ms > 100 ? passed_ms : 100);
    double from = r->per_s > 0 && r->per_s < sent ? r->per_s : sent;
    r->per_s = 0.7 * from > LEAST_PER_S ? 0.7 * from : LEAST_PER_S;
    r->cut_ms = r->grown_ms = now_ms;
}

void rate_answer(struct rate *r, bool throttled, int64_t now_ms)
{
    if (throttled) {
        cut(r, now_ms);
        return;
    }
    int64_t passed_ms = now_ms - r->grown_ms;
    if (r->per_s <= 0 || passed_ms < 1000)
        return;
    for (; passed_ms >= 1000; passed_ms -= 1000) {
        r->per_s *= 1.1;
        r->grown_ms += 1000;
    }
}
