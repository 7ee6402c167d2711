#include "agent/status.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/blocks.h"
#include "agent/cluster.h"
#include "agent/job.h"
#include "agent/listing_cache.h"
#include "agent/meta.h"
#include "agent/session.h"
#include "agent/store/buffer.h"
#include "common/clock.h"
#include "fetch/s3.h"

#define SILENCES_MAX 8

static json_t *counters_object(struct agent *a, const struct store_numbers *store)
{
    struct counters total = {0};
    json_t *o = json_object();
    (void)a;
    jobs_total(&total);
    counters_add(&total, COUNTER_evicted_blocks, store->evicted_blocks);
    counters_add(&total, COUNTER_bad_blocks, store->bad_blocks);
    for (enum counter_id id = 0; id < COUNTER_COUNT; id++)
        json_object_set_new(o, counter_rows[id].name,
                            json_integer((json_int_t)counters_get(&total, id)));
    return o;
}

/* A line of /proc/self/status, such as "VmRSS:", in bytes. */
static json_int_t process_bytes(const char *name)
{
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0 &&
            sscanf(line + strlen(name), "%lld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (json_int_t)kib << 10;
}

static json_t *memory_object(void)
{
    struct buffer_numbers buffers;
    struct meta_numbers names;
    buffer_numbers(&buffers);
    meta_numbers(&names);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "resident_bytes",
                     process_bytes("VmRSS:"), "resident_peak_bytes", process_bytes("VmHWM:"),
                     "buffer_bytes", (json_int_t)buffers.bytes, "buffer_peak_bytes",
                     (json_int_t)buffers.peak_bytes, "metadata_names", (json_int_t)names.names,
                     "metadata_bytes", (json_int_t)names.bytes, "metadata_limit_bytes",
                     (json_int_t)META_BYTES_MAX, "listing_bytes", (json_int_t)listing_cache_bytes(),
                     "listing_limit_bytes", (json_int_t)LISTING_CACHE_BYTES_MAX,
                     "incomplete_blocks", (json_int_t)blocks_incomplete());
}

/* Of S3's endpoints, those that don't answer. */
static json_t *silences_array(void)
{
    struct s3_silence silent[SILENCES_MAX];
    json_t *all = json_array();
    size_t n = s3_silences(clock_monotonic_ms(), silent, SILENCES_MAX);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s, s:I, s:s}", "endpoint", silent[i].endpoint,
                                             "since_s",
                                             (json_int_t)(clock_wall_s() - silent[i].for_ms / 1000),
                                             "why", silent[i].why));
    return all;
}

size_t status_json(struct agent *a, char *out, size_t size)
{
    struct store_numbers store;
    store_numbers(a->store, &store);
    json_t *root = json_pack(
        "{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:{s:s, s:I, s:I, s:b, s:b, s:b, s:b, s:b, s:I, s:I}, "
        "s:o}",
        "pid", (int)getpid(), "version", WARMPATH_VERSION, "uptime_s",
        (json_int_t)(clock_wall_s() - a->started_s), "jobs", (json_int_t)jobs_running(),
        "connections", (json_int_t)sessions_count(), "blocks_in_flight",
        (json_int_t)blocks_in_flight(), "block_bytes", (json_int_t)a->block_bytes, "store", "dir",
        store_dir(a->store), "used_bytes", (json_int_t)store.used_bytes, "limit_bytes",
        (json_int_t)store.limit_bytes, "counted", store.counted, "emptying", store.emptying,
        "stalled", store.stalled, "full", store.full, "behind", store.behind, "memory_bytes",
        (json_int_t)store.memory_bytes, "memory_limit_bytes", (json_int_t)STORE_MEMORY_MAX,
        "counters", counters_object(a, &store));
    if (!root)
        return 0;
    json_object_set_new(root, "memory", memory_object());
    json_object_set_new(root, "silent_endpoints", silences_array());
    json_t *cluster = cluster_status(a);
    if (cluster)
        json_object_set_new(root, "cluster", cluster);
    size_t len = json_dumpb(root, out, size, JSON_INDENT(2));
    json_decref(root);
    return len <= size ? len : 0;
}
