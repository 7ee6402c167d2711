/* What the way to S3 carries, measured, and how much to have on its way because of that. Pure:
 * bytes and times in, a window out. One for each agent, of its loop's thread.
 *
 * A window smaller than bandwidth times latency leaves the way empty for a part of the time; one
 * that is larger is fetched in vain when the reader stops. So a run may fetch ahead what arrives in
 * a quarter of a second, or in four first-byte times where those are longer: a window that is too
 * small for its latency then grows fourfold with each measurement, until the rate, and no longer
 * the window, is what limits. Source: bandwidth-delay product, as TCP's receive window auto-tuning
 * uses it. */
#ifndef WARMPATH_POLICY_PIPE_H
#define WARMPATH_POLICY_PIPE_H

#include <stdint.h>

#define PIPE_WINDOW_LEAST (32u << 20)
#define PIPE_WINDOW_FIRST (128u << 20) /* before anything was measured */
#define PIPE_WINDOW_MOST  (256u << 20)

/* All zeros: nothing measured yet. */
struct pipe {
    double bytes_per_ms; /* while something was under way */
    double first_byte_ms;
    uint64_t bytes;   /* of the measurement under way */
    int64_t since_ms; /* its beginning */
};

/* Something is under way after nothing was: idle time doesn't count. */
void pipe_begin(struct pipe *p, int64_t now_ms);
/* So many bytes came since the last call. */
void pipe_carried(struct pipe *p, uint64_t bytes, int64_t now_ms);
/* A request waited that long for its first byte. */
void pipe_answered(struct pipe *p, int64_t first_byte_ms);

/* The most that one run should fetch ahead, in bytes. */
uint64_t pipe_window_bytes(const struct pipe *p);

#endif
