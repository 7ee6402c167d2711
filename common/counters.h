/* Counters, one 64-bit number a row of counters.def.
 *
 * A page of them is shared by one process and the agent, so that a process that is killed
 * leaves its numbers behind. */
#ifndef WARMPATH_COUNTERS_H
#define WARMPATH_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum counter_id {
#define COUNTER(name, who, help) COUNTER_##name,
#include "common/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
};

#define COUNTERS_PAGE_BYTES 4096
_Static_assert(sizeof(struct counters) <= COUNTERS_PAGE_BYTES, "counters fit their page");

struct counter_row {
    const char *name;
    const char *help;
};

extern const struct counter_row counter_rows[COUNTER_COUNT];

static inline void counters_add(struct counters *c, enum counter_id id, uint64_t n)
{
    atomic_fetch_add_explicit(&c->values[id], n, memory_order_relaxed);
}

/* Without a locked instruction: threads that count at the same moment may lose one of their counts.
 * For the hit path, where a lock costs a tenth of the read. */
static inline void counters_add_unlocked(struct counters *c, enum counter_id id, uint64_t n)
{
    uint64_t before = atomic_load_explicit(&c->values[id], memory_order_relaxed);
    atomic_store_explicit(&c->values[id], before + n, memory_order_relaxed);
}

static inline uint64_t counters_get(const struct counters *c, enum counter_id id)
{
    return atomic_load_explicit(&c->values[id], memory_order_relaxed);
}

/* Adds every value of `from` to `to`. */
void counters_fold(struct counters *to, const struct counters *from);

/* Writes `"name":value,…` (no braces). Length, or -1 when it does not fit. */
int counters_json(const struct counters *c, char *out, size_t size);

/* The summary for people, several lines, each beginning with "warmpath: ". Length, or -1. */
int counters_summary(const struct counters *c, double wall_s, char *out, size_t size);

#endif
