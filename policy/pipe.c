#include "policy/pipe.h"

#define SAMPLE_MS      100 /* shorter ones say more of buffers than of the way */
#define NEW_SHARE      0.5 /* of a new measurement in the mean */
#define WINDOW_MS      250
#define WINDOW_ANSWERS 4

static double blend(double mean, double fresh)
{
    return mean > 0 ? mean + (fresh - mean) * NEW_SHARE : fresh;
}

void pipe_begin(struct pipe *p, int64_t now_ms)
{
    p->since_ms = now_ms;
    p->bytes = 0;
}

void pipe_carried(struct pipe *p, uint64_t bytes, int64_t now_ms)
{
    int64_t took_ms = now_ms - p->since_ms;
    p->bytes += bytes;
    if (took_ms < SAMPLE_MS)
        return;
    p->bytes_per_ms = blend(p->bytes_per_ms, (double)p->bytes / (double)took_ms);
    pipe_begin(p, now_ms);
}

void pipe_answered(struct pipe *p, int64_t first_byte_ms)
{
    p->first_byte_ms = blend(p->first_byte_ms, (double)(first_byte_ms > 0 ? first_byte_ms : 1));
}

uint64_t pipe_window_bytes(const struct pipe *p)
{
    if (p->bytes_per_ms <= 0)
        return PIPE_WINDOW_FIRST;
    double ms = WINDOW_ANSWERS * p->first_byte_ms;
    double bytes = p->bytes_per_ms * (ms > WINDOW_MS ? ms : WINDOW_MS);
    if (bytes >= PIPE_WINDOW_MOST)
        return PIPE_WINDOW_MOST;
    return bytes <= PIPE_WINDOW_LEAST ? PIPE_WINDOW_LEAST : (uint64_t)bytes;
}
