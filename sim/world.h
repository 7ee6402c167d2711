/* What the simulated cluster consists of, and what is noted of a run. */
#ifndef WARMPATH_SIM_WORLD_H
#define WARMPATH_SIM_WORLD_H

#include "policy/breaker.h"
#include "policy/placement.h"
#include "policy/prefetch.h"
#include "policy/want.h"
#include "sim/network.h"
#include "sim/queue.h"

#define NODES_MAX      512
#define SEGMENT_BLOCKS 512 /* as fetch/index_segment.h has it */
#define SEGMENT_WORDS  (SEGMENT_BLOCKS / 64)
#define SEGMENTS_MAX   8
#define BLOCKS_MAX     (SEGMENTS_MAX * SEGMENT_BLOCKS)
#define SAMPLE_US      20000 /* what the plots show is noted that often */
#define SAMPLES_MAX    6000

/* One row of the table in scenarios.c. Rates are bytes a second. */
struct scenario {
    const char *name, *title;
    int nodes;
    double model_gib; /* the same for all */
    double input_gib; /* each node's own, read behind it */
    double block_mib;
    double start_s;  /* nodes start within that time */
    double nic_rate; /* each way */
    double s3_rate, s3_flow_rate;
    double s3_latency_s;
    double slow_zone_rate;  /* every fourth node is in a zone with this uplink; 0: no zones */
    double dead_share;      /* nodes that die ... */
    double dead_at_s;       /* ... then */
    double redis_gone_at_s; /* 0: never */
    double redis_trip_s;    /* a round trip; 0: 0.2 ms */
    /* what must hold; 0: no goal */
    double goal_ratio, goal_redis;
    double goal_s3; /* GETs, as a multiple of the blocks */
};

struct series {
    int n;
    float at_s[SAMPLES_MAX];
    float network_rate[SAMPLES_MAX], redis_busy[SAMPLES_MAX];
    float loaded[3][SAMPLES_MAX]; /* of a node's bytes: the slowest, the median, the fastest */
    uint32_t s3_gets[SAMPLES_MAX];
    double moved_before, busy_before; /* at the last sample */
};

struct totals {
    uint64_t s3_gets, peer_gets, peer_busy, peer_missing, peer_failed;
    uint64_t redis_ops, redis_batches, redis_looks, redis_claims, redis_puts;
    double redis_busy_us;
    int most_uploads; /* at once, from one node */
    int loaded;       /* nodes that have all */
    int dead;
};

struct node;
struct redis;

struct world {
    const struct scenario *scenario;
    struct queue queue;
    struct network network;
    uint64_t random;
    uint32_t shared_blocks, blocks; /* of the model; with a node's own input */
    double block_bytes;
    uint64_t content;
    struct node *nodes;
    struct redis *redis;
    struct totals totals;
    struct series series;
    int64_t last_start_us, all_loaded_us;
};

/* Links of the network. */
static inline int link_up(int node)
{
    return 2 * node;
}

static inline int link_down(int node)
{
    return 2 * node + 1;
}

static inline int link_s3(const struct world *w)
{
    return 2 * w->scenario->nodes;
}

/* Of the zone with the thin uplink: what leaves it, what comes in. */
static inline int link_zone_out(const struct world *w)
{
    return 2 * w->scenario->nodes + 1;
}

static inline int link_zone_in(const struct world *w)
{
    return 2 * w->scenario->nodes + 2;
}

static inline bool is_in_slow_zone(const struct world *w, int node)
{
    return w->scenario->slow_zone_rate > 0 && node % 4 == 3;
}

/* splitmix64. Source: see policy/placement.c. */
uint64_t world_random(struct world *w);
/* From 0 to 1. */
double world_fraction(struct world *w);

/* The rows, ended by one without a name. */
extern const struct scenario scenarios[];

#endif
