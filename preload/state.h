/* What the library knows of its process: the mappings, and what must not outlive a fork. */
#ifndef WARMPATH_PRELOAD_STATE_H
#define WARMPATH_PRELOAD_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/counters.h"
#include "common/map.h"

#define CONNECTIONS_IDLE 32

/* On a page that the kernel empties in a forked child (MADV_WIPEONFORK): a child finds out
 * without asking for its pid, and never speaks on its parent's connections. */
struct wiped_on_fork {
    _Atomic int idle[CONNECTIONS_IDLE];  /* descriptor + 1 of an idle connection; 0: none */
    _Atomic(struct counters *) counters; /* shared with the agent; NULL until it gave a page */
    _Atomic int counters_asked;
    _Atomic pid_t pid;                  /* of this process; 0: not known, after an unseen fork */
    _Atomic int lazy_lock, sigbus_lock; /* quiet.h */
    _Atomic uint64_t fault_stacks;      /* a bit for each of sigbus.c's that is in use */
};

struct state {
    /* What most calls look at, in one cache line: after a system call lines are cold, and each
     * costs. */
    _Alignas(64) atomic_bool ready; /* the rest is set */
    bool active;                    /* there is a mapping */
    uint64_t first_chars;           /* a bit for each (path[1] & 63) that a path of ours may have */

    _Alignas(64) struct map map;
    struct wiped_on_fork *child; /* never NULL once init ran */
    uid_t uid;
    gid_t gid;
    int64_t meta_ttl_s;
    uint64_t mmap_wait_bytes; /* a map with more absent bytes is lazy */
    uint32_t block_bytes;     /* as the agent said */
    char runtime_dir[256];    /* see option_runtime_dir(); "" when it can't be had */
    size_t runtime_dir_len;
};

extern struct state state;

/* Runs once, from the constructor or from the first hook that needs it before: other libraries'
 * constructors open files, and so does a malloc that is just starting. So there is no malloc in
 * it; what needs one waits for the constructor. */
void state_init(void);

/* In a child of fork(). */
void state_forked(void);

/* Is this a vfork child, which shares its parent's memory? Costs a system call. */
bool state_in_vfork_child(void);

/* Counts for the job's report. Never blocks, never fails. */
void state_count(enum counter_id id, uint64_t n);

/* A read that was served from a mapped block. */
void state_count_hit(uint64_t bytes);

#endif
