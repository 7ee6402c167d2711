/* What every hook_*.c needs. A hook reads: guard (is it ours?) → look up → delegate. */
#ifndef WARMPATH_PRELOAD_HOOK_H
#define WARMPATH_PRELOAD_HOOK_H

#include <errno.h>

#include "preload/elsewhere.h"
#include "preload/fault.h"
#include "preload/fdtab.h"
#include "preload/file.h"
#include "preload/follow.h"
#include "preload/lookup.h"
#include "preload/real.h"
#include "preload/target.h"

#define EXPORT __attribute__((visibility("default")))

/* libc gave out a number: if an unseen close had freed it, what we had there is gone. */
static inline int hook_new_fd(int fd)
{
    if (fd >= 0 && fdtab_has(fd) && !state_in_vfork_child())
        fdtab_drop(fd);
    return fd;
}

/* Is anything mapped at all? */
static inline bool hook_is_active(void)
{
    if (!atomic_load_explicit(&state.ready, memory_order_acquire))
        state_init();
    return state.active;
}

/* -errno inside, errno outside. */
static inline long hook_result(long r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

static inline void *hook_null(int error)
{
    errno = error > 0 ? error : -error;
    return NULL;
}

/* 1: `path` is mapped and `t` filled; 0: libc's; negative: ours, with that error. A path that is
 * libc's but leads out of a mapping ("/data/../etc") is replaced by what it means to the kernel, in
 * `t`. */
#define hook_find(at, path, t) hook_find_at(at, (const char **)(uintptr_t) & (path), t)
static inline int hook_find_at(int at, const char **path, struct target *t)
{
    if (__builtin_expect(target_is_elsewhere(at, *path), 1))
        return 0;
    int climbs = lookup_climbs(at, *path);
    return climbs < 0 ? climbs : target_find(at, path, t);
}

/* The same for a call that changes something, or leads to it. */
#define hook_find_writing(at, path, flags, t)                                                      \
    hook_find_writing_at(at, (const char **)(uintptr_t) & (path), flags, t)
static inline int hook_find_writing_at(int at, const char **path, int flags, struct target *t)
{
    int r = hook_find_at(at, path, t);
    return r == 0 ? follow_first(at, *path, flags, t) : r;
}

/* After libc's call: did it fail because the path leads to what only we know? As follow_find(). */
static inline int hook_follow(bool failed, int at, const char *path, int flags, struct target *t)
{
    if (__builtin_expect(!failed, 1) || !follow_may_help(errno))
        return 0;
    return follow_find(at, path, flags, t);
}

#endif
