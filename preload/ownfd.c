#include "preload/ownfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/real.h"
#include "preload/state.h"

#define TRACKED 65536 /* descriptors; ours lie below */

static _Atomic uint64_t ours[TRACKED / 64];
static atomic_int count;
static atomic_int lowest; /* where ours begin; 0: not asked yet */
static atomic_int most;

/* The upper quarter of what the process may open, but not so high that the kernel's table grows
 * large for it. */
static int first_number(void)
{
    int first = atomic_load_explicit(&lowest, memory_order_relaxed);
    if (first)
        return first;
    struct rlimit limit;
    long files = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)limit.rlim_cur : 256;
    if (files > 4096 || files < 0)
        files = 4096;
    atomic_store(&most, (int)(files / 4));
    first = (int)(files - files / 4);
    atomic_store(&lowest, first);
    return first;
}

static void track(int fd)
{
    if (fd >= TRACKED)
        return;
    atomic_fetch_or(&ours[fd / 64], 1ull << (fd % 64));
    atomic_fetch_add(&count, 1);
}

int ownfd_dup(int fd)
{
    int errno_before = errno;
    int twin = REAL(fcntl)(fd, F_DUPFD_CLOEXEC, first_number());
    if (twin >= 0)
        track(twin);
    else
        errno = errno_before;
    return twin;
}

int ownfd_take(int fd)
{
    if (state_in_vfork_child())
        return fd; /* the tables are its parent's */
    int moved = ownfd_dup(fd);
    if (moved < 0)
        track(fd);
    else
        syscall(SYS_close, fd);
    return moved < 0 ? fd : moved;
}

void ownfd_close(int fd)
{
    if (ownfd_is(fd) && !state_in_vfork_child()) {
        atomic_fetch_and(&ours[fd / 64], ~(1ull << (fd % 64)));
        atomic_fetch_sub(&count, 1);
    }
    syscall(SYS_close, fd);
}

void ownfd_close_all(void)
{
    for (int fd = ownfd_next(first_number()); fd >= 0; fd = ownfd_next(fd + 1))
        ownfd_close(fd);
}

bool ownfd_is(int fd)
{
    return fd >= 0 && fd < TRACKED &&
           (atomic_load_explicit(&ours[fd / 64], memory_order_relaxed) >> (fd % 64) & 1);
}

int ownfd_next(int fd)
{
    for (; fd < TRACKED; fd = (fd / 64 + 1) * 64) {
        uint64_t bits = atomic_load(&ours[fd / 64]) >> (fd % 64);
        if (bits)
            return fd + __builtin_ctzll(bits);
    }
    return -1;
}

bool ownfd_has_room(void)
{
    first_number();
    return atomic_load(&count) < atomic_load(&most);
}
