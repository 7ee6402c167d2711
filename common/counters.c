#include "common/counters.h"

#include <inttypes.h>
#include <stdio.h>

const struct counter_row counter_rows[COUNTER_COUNT] = {
#define COUNTER(name, who, help) [COUNTER_##name] = {#name, help},
#include "common/counters.def"
#undef COUNTER
};

void counters_fold(struct counters *to, const struct counters *from)
{
    for (enum counter_id id = 0; id < COUNTER_COUNT; id++)
        counters_add(to, id, counters_get(from, id));
}

int counters_json(const struct counters *c, char *out, size_t size)
{
    size_t len = 0;
    for (enum counter_id id = 0; id < COUNTER_COUNT; id++) {
        int n = snprintf(out + len, size - len, "%s\"%s\":%" PRIu64, id ? "," : "",
                         counter_rows[id].name, counters_get(c, id));
        if (n < 0 || (size_t)n >= size - len)
            return -1;
        len += (size_t)n;
    }
    return (int)len;
}

static double mib(const struct counters *c, enum counter_id id)
{
    return (double)counters_get(c, id) / (1 << 20);
}

int counters_summary(const struct counters *c, double wall_s, char *out, size_t size)
{
    uint64_t hit = counters_get(c, COUNTER_store_hit_blocks);
    uint64_t miss = counters_get(c, COUNTER_store_miss_blocks);
    int n = snprintf(
        out, size,
        "warmpath: job: %.1f s, %" PRIu64 " files opened, %" PRIu64 " names looked up, "
        "%.1f MiB read, %.1f MiB mapped\n"
        "warmpath: cache: %" PRIu64 " blocks from the store, %" PRIu64 " fetched (%.0f %% hits), "
        "%" PRIu64 " fetched ahead, %" PRIu64 " reads of held blocks\n"
        "warmpath: S3: %" PRIu64 " GET, %" PRIu64 " HEAD, %" PRIu64 " list requests, %.1f MiB, "
        "%" PRIu64 " retries, %" PRIu64 " errors\n",
        wall_s, counters_get(c, COUNTER_opens), counters_get(c, COUNTER_stats),
        mib(c, COUNTER_read_bytes), mib(c, COUNTER_mapped_bytes), hit, miss,
        hit + miss ? 100.0 * (double)hit / (double)(hit + miss) : 0.0,
        counters_get(c, COUNTER_prefetched_blocks), counters_get(c, COUNTER_block_hits),
        counters_get(c, COUNTER_s3_get_requests), counters_get(c, COUNTER_s3_head_requests),
        counters_get(c, COUNTER_s3_list_requests), mib(c, COUNTER_s3_bytes),
        counters_get(c, COUNTER_s3_retries), counters_get(c, COUNTER_s3_errors));
    return n > 0 && (size_t)n < size ? n : -1;
}
