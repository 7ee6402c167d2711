/* Does a disk keep up with what is written to it? Writes go to the page cache and are quick, until
 * the kernel makes writers wait, so that no more is unwritten than it allows: then they are as slow
 * as the disk. Pure; told by who writes, asked by who decides where to write next.
 *
 *   keeps up ── writes took too long, all in all ──▶ behind
 *   behind ──── lag_caught_up(), and they were quick for a while ──▶ keeps up */
#ifndef WARMPATH_POLICY_LAG_H
#define WARMPATH_POLICY_LAG_H

#include <stdbool.h>
#include <stdint.h>

struct lag {
    int64_t debt_us;
    bool is_behind;
};

/* A write of `bytes` took so long; also one of what was kept back. */
void lag_wrote(struct lag *l, uint64_t bytes, int64_t took_us);

/* All that was kept back is written. */
void lag_caught_up(struct lag *l);

#endif
