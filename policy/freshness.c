#include "policy/freshness.h"

#define WINDOW_MAX_MS   (15 * 60 * 1000) /* as botocore's advisory refresh */
#define FILE_AGAIN_MS   (60 * 1000)
#define FAILED_AGAIN_MS (5 * 1000)  /* while there is nothing to use */
#define BEHIND_AGAIN_MS (30 * 1000) /* while the old ones still hold */
#define DOUBTFUL_MS     (30 * 1000) /* credentials that came expired */

/* The last quarter of their life, at most a quarter of an hour. */
static int64_t window_ms(const struct freshness_state *s)
{
    int64_t quarter_ms = (s->expires_ms - s->obtained_ms) / 4;
    return quarter_ms < WINDOW_MAX_MS ? quarter_ms : WINDOW_MAX_MS;
}

static bool failed_within(const struct freshness_state *s, int64_t ms)
{
    return s->failed_ms && s->now_ms - s->failed_ms < ms;
}

/* Renewing behind must get several tries before they expire. */
static int64_t behind_again_ms(const struct freshness_state *s)
{
    int64_t fifth_ms = s->expires_ms ? window_ms(s) / 5 : BEHIND_AGAIN_MS;
    return fifth_ms < BEHIND_AGAIN_MS ? fifth_ms : BEHIND_AGAIN_MS;
}

enum freshness freshness_judge(const struct freshness_state *s)
{
    if (!s->have || s->refused)
        return failed_within(s, FAILED_AGAIN_MS) ? FRESHNESS_FAIL : FRESHNESS_WAIT;

    bool due, over = false;
    if (s->expires_ms) {
        bool came_expired = s->expires_ms <= s->obtained_ms;
        over =
            came_expired ? s->now_ms - s->obtained_ms >= DOUBTFUL_MS : s->now_ms >= s->expires_ms;
        due = !came_expired && s->now_ms >= s->expires_ms - window_ms(s);
    } else {
        due = s->from_file && s->now_ms - s->obtained_ms >= FILE_AGAIN_MS;
    }
    if (over)
        return failed_within(s, FAILED_AGAIN_MS) ? FRESHNESS_FAIL : FRESHNESS_WAIT;
    if (due && !failed_within(s, behind_again_ms(s)))
        return FRESHNESS_RENEW;
    return FRESHNESS_USE;
}
