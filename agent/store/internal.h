/* What store.c (reading), open.c, look.c (is it on the disk?), ahead.c, write.c, behind.c, put.c
 * (whole blocks), jobs.c (the disk), evict.c (room), shard.c and tell.c (what there is) share;
 * nobody else includes it but the store's test, which stalls the disk. */
#ifndef WARMPATH_AGENT_STORE_INTERNAL_H
#define WARMPATH_AGENT_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "agent/store/block_file.h"
#include "agent/store/disk.h"
#include "agent/store/filter.h"
#include "agent/store/memory.h"
#include "agent/store/store.h"
#include "policy/lag.h"

#define STORE_SHARDS 256

struct store {
    char *dir;
    int dir_fd, lock_fd;
    struct disk *disk;
    uint64_t limit_bytes;
    struct timespec suspect_before; /* blocks older than that are verified before use */
    atomic_int_fast64_t used_bytes; /* as the disk counts; complete once `counted` */
    atomic_uint_fast64_t evicted_blocks, bad_blocks;
    atomic_uint_fast32_t ahead_bytes; /* being read ahead (ahead.c) */
    struct store_memory *memory;      /* blocks that the disk didn't take */
    struct lag lag;                   /* guarded by the next (behind.c) */
    pthread_mutex_t lag_lock;
    atomic_bool is_behind;     /* as `lag` says */
    atomic_bool writes_behind; /* a block of memory is being written to the disk */
    atomic_bool ends;          /* no more of that */
    struct store_filter filter;
    atomic_bool full;                  /* it took no more */
    atomic_int_fast64_t full_until_ms; /* it isn't tried again before */
    atomic_int_fast64_t refused_ms;    /* when it last was; 0: never */
    atomic_bool counted;
    atomic_bool closed;                /* as last seen; store_is_closed() */
    atomic_int_fast64_t complained_ms; /* last line about a full or failing disk */

    struct store_place *leaving; /* sorted; they are being evicted; guarded by the last (evict.c) */
    size_t n_leaving;
    pthread_mutex_t leaving_lock;

    struct store_watcher watcher; /* guarded by the next */
    pthread_rwlock_t watch_lock;

    pthread_t maintainer;
    bool has_maintainer;
    pthread_mutex_t lock; /* guards closing and what is wanted */
    pthread_cond_t wanted;
    bool closing, want_room, want_empty, want_told;
    bool may_tell;    /* who is told has room again */
    bool was_refused; /* room is wanted though the numbers may say that there is some */
};

/* Tells the watcher. */
void store_tell_published(struct store *s, const struct version *v, uint64_t index);
void store_tell_kept(struct store *s, const struct version *v, uint64_t index);
void store_tell_leaving(struct store *s, const struct store_place *places, size_t n, bool may_wait);
/* False: there is no room for it now. */
bool store_tell_found(struct store *s, const struct store_place *place, uint64_t blocks);

bool store_is_closing(struct store *s);

static inline void store_account(struct store *s, int64_t bytes)
{
    atomic_fetch_add(&s->used_bytes, bytes);
}

#endif
