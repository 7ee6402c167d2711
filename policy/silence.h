/* How long another node may say nothing, to any request, before it is taken for dead. Pure. One for
 * each node that is asked for blocks.
 *
 * Nodes are near each other, and what one of them usually does is known after its first block: when
 * it is silent for many times as long, it is faster to ask another one. What is usual is the
 * longest of late, so that a slow disk or a slow link makes its node slow and not dead; and a node
 * that was given up is given half as much time again when it is asked anew. */
#ifndef WARMPATH_POLICY_SILENCE_H
#define WARMPATH_POLICY_SILENCE_H

#include <stdint.h>

#define SILENCE_FIRST_MOST_MS 1500 /* to the first byte */
#define SILENCE_MOST_MS       2000 /* between two pieces */

struct silence { /* zeros: nothing is known yet */
    int64_t first_ms, gap_ms;
};

/* The longest that the next answer's first byte, and then each of its pieces, is waited for. `all`:
 * what is usual for all nodes together, which counts where nothing is known of this one. */
int64_t silence_first_most_ms(const struct silence *s, const struct silence *all);
int64_t silence_most_ms(const struct silence *s, const struct silence *all);

/* A block came: its first byte after so long, with that longest gap between its pieces. */
void silence_ended(struct silence *s, int64_t first_ms, int64_t gap_ms);

/* It was given up for its silence, before the first byte or after it, having been given so long. */
void silence_lasted_first(struct silence *s, int64_t given_ms);
void silence_lasted(struct silence *s, int64_t given_ms);

#endif
