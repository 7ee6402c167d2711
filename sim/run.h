/* Runs a scenario, and says what came of it. */
#ifndef WARMPATH_SIM_RUN_H
#define WARMPATH_SIM_RUN_H

#include "sim/world.h"

/* The same seed gives the same run. The world is as it was when the last node had all, or when two
 * minutes were over. */
struct world *run_scenario(const struct scenario *s, uint64_t seed);
void run_free(struct world *w);

/* No cluster can be faster: when the last node has started, its NIC has to carry all it reads, and
 * S3 everything once. */
double run_bound_s(const struct world *w);

struct result {
    double bound_s, time_s, ratio;
    double slowest_s;              /* of a node's own loads, from its own start */
    uint64_t blocks;               /* that S3 has to be asked for */
    double s3_ratio;               /* GETs for each of them */
    double redis_ops, redis_share; /* a second; of a core, in the busiest second */
};

struct result run_judge(const struct world *w);

/* Does it hold what the scenario promises? */
bool run_is_fine(const struct scenario *s, const struct result *r);

#endif
