#include "preload/fault.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "common/hash.h"
#include "common/log.h"
#include "preload/state.h"

#define REMEMBERED   16
#define AGAIN_S      10
#define LINES_AT_ALL 50

#include <time.h>

static _Atomic uint64_t told[REMEMBERED]; /* hash and time of lines already written */
static atomic_int lines;

static bool is_news(uint64_t hash)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    uint64_t slot_time = (uint64_t)(now.tv_sec / AGAIN_S) & 0xffff;
    uint64_t mark = (hash & ~0xffffull) | slot_time;
    if (atomic_exchange(&told[hash % REMEMBERED], mark) == mark)
        return false;
    return atomic_fetch_add(&lines, 1) < LINES_AT_ALL;
}

void fault_tell(const char *path, int error, const char *why, size_t why_len)
{
    state_count(COUNTER_errors, 1);
    if (is_news(hash_bytes(why, why_len, (uint64_t)error)))
        log_warn("fault", "%s: %s: %.*s", path, strerror(error), (int)why_len, why);
}

void fault_unsupported(const char *call, const char *path, int error)
{
    if (is_news(hash_bytes(call, strlen(call), (uint64_t)error)))
        log_warn("fault", "%s: %s() is not supported under a mapping (%s)", path, call,
                 strerror(error));
}
