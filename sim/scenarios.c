#include "sim/world.h"

#define GBIT (1e9 / 8)

/* What is alike in all: blocks, NICs, what one connection to S3 gives and how long it takes to
 * begin. */
#define USUAL .block_mib = 4, .nic_rate = 25 * GBIT, .s3_flow_rate = 90e6, .s3_latency_s = 0.03

/* The first two are the cluster's goals. The others have one thing each that is not as it should
 * be, and a smaller model. */
const struct scenario scenarios[] = {
    {USUAL, .name = "model", .title = "200 nodes, a 16 GiB model", .nodes = 200, .model_gib = 16,
     .start_s = 1, .s3_rate = 100 * GBIT, .goal_ratio = 1.5, .goal_s3 = 1, .goal_redis = 0.2},
    {USUAL, .name = "tasks", .title = "400 tasks, 2.5 GB of weights and an own input each",
     .nodes = 400, .model_gib = 2.5e9 / (1 << 30), .input_gib = 1.0 / 64, .start_s = 1,
     .s3_rate = 400 * GBIT, .goal_ratio = 1.5, .goal_s3 = 1, .goal_redis = 0.2},
    {USUAL, .name = "together", .title = "200 nodes, 2 GiB, all start within 100 ms", .nodes = 200,
     .model_gib = 2, .start_s = 0.1, .s3_rate = 100 * GBIT, .goal_s3 = 1, .goal_redis = 0.2},
    {USUAL, .name = "zone", .title = "a quarter is a zone with an uplink of 10 Gb/s", .nodes = 200,
     .model_gib = 2, .start_s = 0.1, .s3_rate = 100 * GBIT, .slow_zone_rate = 10 * GBIT},
    {USUAL, .name = "deaths", .title = "10 % of the nodes die on the way", .nodes = 200,
     .model_gib = 2, .start_s = 0.1, .s3_rate = 100 * GBIT, .dead_share = 0.1, .dead_at_s = 0.7,
     .goal_s3 = 1.1},
    {USUAL, .name = "far-redis", .title = "Redis is 20 ms away", .nodes = 200, .model_gib = 2,
     .start_s = 0.1, .s3_rate = 100 * GBIT, .redis_trip_s = 0.02, .goal_s3 = 1},
    {USUAL, .name = "no-redis", .title = "Redis goes away on the way", .nodes = 200, .model_gib = 2,
     .start_s = 0.1, .s3_rate = 100 * GBIT, .redis_gone_at_s = 0.7},
    {USUAL, .name = "small", .title = "24 nodes, 512 MiB", .nodes = 24, .model_gib = 0.5,
     .start_s = 0.1, .s3_rate = 100 * GBIT, .goal_ratio = 3, .goal_s3 = 1, .goal_redis = 0.2},
    {.name = "lab",
     .title = "4 nodes, 64 MiB, links of 200 Mb/s: what network namespaces can show, too",
     .nodes = 4,
     .model_gib = 1.0 / 16,
     .block_mib = 1,
     .start_s = 0.01,
     .nic_rate = 0.2 * GBIT,
     .s3_rate = 10 * GBIT,
     .s3_flow_rate = 500e6,
     .s3_latency_s = 0.003,
     .goal_s3 = 1},
    {.name = NULL},
};
