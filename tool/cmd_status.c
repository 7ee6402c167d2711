/* warmpath status [--json]. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tool/agent_call.h"
#include "tool/commands.h"

static json_int_t number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static double gib(const json_t *o, const char *name)
{
    return (double)number(o, name) / (1 << 30);
}

static void print_status(const json_t *s)
{
    const json_t *store = json_object_get(s, "store");
    const json_t *c = json_object_get(s, "counters");
    json_int_t hits = number(c, "store_hit_blocks"), misses = number(c, "store_miss_blocks");
    json_int_t up = number(s, "uptime_s");
    printf("agent    pid %lld, version %s, up %lld:%02lld:%02lld, %lld jobs, %lld connections\n",
           (long long)number(s, "pid"), json_string_value(json_object_get(s, "version")),
           (long long)up / 3600, (long long)up / 60 % 60, (long long)up % 60,
           (long long)number(s, "jobs"), (long long)number(s, "connections"));
    printf("store    %s: %.2f of %.2f GiB%s%s%s%s, blocks of %lld KiB\n",
           json_string_value(json_object_get(store, "dir")), gib(store, "used_bytes"),
           gib(store, "limit_bytes"),
           json_is_true(json_object_get(store, "counted")) ? "" : " (still counting)",
           json_is_true(json_object_get(store, "stalled")) ? ", STALLED (blocks go to memory)" : "",
           json_is_true(json_object_get(store, "full")) ? ", FULL (blocks go to memory)" : "",
           json_is_true(json_object_get(store, "behind")) ? ", SLOW (blocks go to memory first)"
                                                          : "",
           (long long)number(s, "block_bytes") >> 10);
    printf("blocks   %lld from the store, %lld fetched (%.1f %% hits), %lld fetched ahead, "
           "%lld under way, %lld evicted, %lld bad\n",
           (long long)hits, (long long)misses,
           hits + misses ? 100.0 * (double)hits / (double)(hits + misses) : 0.0,
           (long long)number(c, "prefetched_blocks"), (long long)number(s, "blocks_in_flight"),
           (long long)number(c, "evicted_blocks"), (long long)number(c, "bad_blocks"));
    printf("jobs     %lld opens, %lld look-ups, %.2f GiB read, %.2f GiB mapped, %lld errors\n",
           (long long)number(c, "opens"), (long long)number(c, "stats"), gib(c, "read_bytes"),
           gib(c, "mapped_bytes"), (long long)number(c, "errors"));
    printf("S3       %lld GET, %lld HEAD, %lld list, %.2f GiB, %lld retries, %lld asked twice "
           "(%lld to "
           "advantage), %lld errors\n",
           (long long)number(c, "s3_get_requests"), (long long)number(c, "s3_head_requests"),
           (long long)number(c, "s3_list_requests"), gib(c, "s3_bytes"),
           (long long)number(c, "s3_retries"), (long long)number(c, "s3_hedges"),
           (long long)number(c, "s3_hedges_won"), (long long)number(c, "s3_errors"));
}

static double mib(const json_t *o, const char *name)
{
    return (double)number(o, name) / (1 << 20);
}

static void print_memory(const json_t *s)
{
    const json_t *m = json_object_get(s, "memory");
    printf("memory   %.0f MiB, at most %.0f so far: buffers %.0f, %lld names %.1f, listings %.1f; "
           "%lld incomplete blocks; %.0f of blocks that the disk didn't take\n",
           mib(m, "resident_bytes"), mib(m, "resident_peak_bytes"), mib(m, "buffer_bytes"),
           (long long)number(m, "metadata_names"), mib(m, "metadata_bytes"),
           mib(m, "listing_bytes"), (long long)number(m, "incomplete_blocks"),
           mib(json_object_get(s, "store"), "memory_bytes"));
}

static void format_time(const json_t *o, const char *name, char out[32])
{
    time_t at = (time_t)number(o, name);
    struct tm local;
    out[0] = '\0';
    if (localtime_r(&at, &local))
        strftime(out, 32, "%F %T", &local);
}

static void print_silences(const json_t *s)
{
    const json_t *silent;
    size_t i;
    char since[32];
    json_array_foreach(json_object_get(s, "silent_endpoints"), i, silent)
    {
        format_time(silent, "since_s", since);
        printf("         %s gives no sign of life since %s: %s\n",
               json_string_value(json_object_get(silent, "endpoint")), since,
               json_string_value(json_object_get(silent, "why")));
    }
}

/* Of what others may take here. */
static const char *offer_of(const json_t *cluster, const char *url)
{
    if (!url || !*url)
        return " offers its blocks to nobody: WARMPATH_PEER_URL is not set";
    if (!json_is_true(json_object_get(cluster, "offered")))
        return " does not offer its blocks at present: ";
    return " at ";
}

static void print_troubles(const json_t *cluster)
{
    const json_t *trouble;
    size_t i;
    char since[32];
    json_array_foreach(json_object_get(cluster, "troubles"), i, trouble)
    {
        format_time(trouble, "since_s", since);
        printf("         trouble since %s with %s\n", since,
               json_string_value(json_object_get(trouble, "what")));
    }
    int64_t more = (int64_t)number(cluster, "troubled_peers") - (int64_t)i;
    if (more > 0)
        printf("         and with %lld more\n", (long long)more);
}

static void print_cluster(const json_t *s)
{
    const json_t *o = json_object_get(s, "cluster"), *c = json_object_get(s, "counters");
    char since[32];
    if (!o)
        return;
    format_time(o, "index_since_s", since);
    const char *why = json_string_value(json_object_get(o, "index_why"));
    const char *url = json_string_value(json_object_get(o, "url"));
    printf("cluster  index %s since %s%s%s; node %s%s%s\n",
           json_string_value(json_object_get(o, "index")), since, why && *why ? ": " : "",
           why ? why : "", json_string_value(json_object_get(o, "node")), offer_of(o, url),
           url ? url : "");
    printf("peers    %lld nodes, %lld to ask; %lld blocks, %.2f GiB, %lld requests, %lld "
           "wrong guesses, %lld errors\n",
           (long long)number(o, "nodes"), (long long)number(o, "peers"),
           (long long)number(c, "peer_hit_blocks"), gib(c, "peer_bytes"),
           (long long)number(c, "peer_requests"), (long long)number(c, "peer_wrong_guesses"),
           (long long)number(c, "peer_errors"));
    print_troubles(o);
}

int cmd_status(int n_args, char **args)
{
    char reply[WIRE_MAX_BYTES];
    bool as_json = n_args == 2 && strcmp(args[1], "--json") == 0;
    if (n_args > 1 && !as_json) {
        fprintf(stderr, "usage: warmpath status [--json]\n");
        return 2;
    }
    ssize_t n = agent_call(WIRE_STATUS, reply, sizeof(reply));
    if (n == -ENOENT) {
        fprintf(stderr, "warmpath: no agent is running; the first job starts one\n");
        return 1;
    }
    if (n < 0)
        return 1;
    if (as_json) {
        printf("%.*s\n", (int)n, reply);
        return 0;
    }
    json_t *status = json_loadb(reply, (size_t)n, 0, NULL);
    if (!status) {
        fprintf(stderr, "warmpath: the agent's answer can't be read; is it another version?\n");
        return 1;
    }
    print_status(status);
    print_silences(status);
    print_memory(status);
    print_cluster(status);
    json_decref(status);
    return 0;
}
