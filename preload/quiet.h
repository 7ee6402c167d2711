/* A lock for the few tables that need one, held for microseconds with every signal blocked: a
 * handler of the job's never finds its own thread holding it. Its word lies on the page that a
 * forked child finds empty, so a child never waits for a thread that it doesn't have; what the lock
 * guards must be sound at every moment of a change. Whoever holds it touches no memory of the
 * job's. */
#ifndef WARMPATH_PRELOAD_QUIET_H
#define WARMPATH_PRELOAD_QUIET_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The signals that were blocked before. */
struct quiet {
    uint64_t mask;
};

#define QUIET_HOW_SET 2 /* SIG_SETMASK */

static inline struct quiet quiet_lock(_Atomic int *lock)
{
    struct quiet q;
    uint64_t all = ~(uint64_t)0;
    syscall(SYS_rt_sigprocmask, QUIET_HOW_SET, &all, &q.mask, sizeof(all));
    while (atomic_exchange_explicit(lock, 1, memory_order_acquire))
        sched_yield();
    return q;
}

static inline void quiet_unlock(_Atomic int *lock, const struct quiet *q)
{
    atomic_store_explicit(lock, 0, memory_order_release);
    syscall(SYS_rt_sigprocmask, QUIET_HOW_SET, &q->mask, NULL, sizeof(q->mask));
}

#endif
