#include "policy/lag.h"

/* A write of a MiB takes 0.2 ms, ten times as long where a hypervisor has to find the memory, and
 * longer still on a machine that is busy: none of that is the disk's doing. At 200 MB/s it is. */
#define FREE_US         1000
#define FREE_US_PER_MIB 4000
#define COUNTED_MOST_US 100000 /* of one write: a single pause says little */
#define BEHIND_US       150000

void lag_wrote(struct lag *l, uint64_t bytes, int64_t took_us)
{
    int64_t over_us = took_us - FREE_US - (int64_t)(bytes * FREE_US_PER_MIB >> 20);
    l->debt_us += over_us < COUNTED_MOST_US ? over_us : COUNTED_MOST_US;
    if (l->debt_us < 0)
        l->debt_us = 0;
    if (l->debt_us > BEHIND_US)
        l->debt_us = BEHIND_US;
    l->is_behind |= l->debt_us == BEHIND_US;
}

void lag_caught_up(struct lag *l)
{
    l->is_behind &= l->debt_us > 0;
}
