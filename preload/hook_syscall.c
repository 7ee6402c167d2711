/* syscall(): numbers of calls that have a hook go through it, all others straight to the kernel.
 * The hooks' rows are in syscalls.def. openat2 is here too: most libcs have no function for it. */
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/cwd.h"
#include "preload/hook.h"
#include "preload/lazy.h"
#include "preload/raw.h"
#include "preload/ring.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* What tells whether a call may concern us. One that doesn't gets the kernel's own behaviour, not
 * that of libc's function of the name (which may be a point of cancellation, for one). */
enum guard {
    ALWAYS,
    FD,      /* the first argument is a descriptor */
    FD2,     /* the second is the one that counts */
    FD_PATH, /* a descriptor that doesn't count, and a path */
    PATH,    /* the first is a path */
    PATH2,   /* the first two are */
    AT,      /* a directory's descriptor and a path */
    AT2,     /* twice */
    AT_OF,   /* behind another argument, as symlinkat has it */
    DATA,    /* the first is a descriptor, and the kernel is handed memory */
    LAZY,    /* lazy maps alone */
    MAP,     /* mmap */
    CWD,     /* getcwd */
};

struct door {
    long (*call)(const long *a); /* NULL: no hook */
    enum guard guard;
    bool opens;
};

#define P(i) ((void *)a[i])
#define I(i) ((int)a[i])

/* --- calls whose function in libc takes or gives something else --------------------------- */

/* The kernel takes NULL for "". */
static const char *unnamed(const char *path, int flags)
{
    return path || !(flags & AT_EMPTY_PATH) ? path : "";
}

/* The kernel counts the terminating zero, and allocates nothing. */
static long working_directory(char *buf, size_t n)
{
    char path[PATH_MAX + 1];
    ssize_t len = cwd_get(path, sizeof(path));
    if (len < 0)
        return hook_result(len);
    if ((size_t)len >= n)
        return hook_result(-ERANGE);
    memcpy(buf, path, (size_t)len + 1);
    return len + 1;
}

static long set_times(int at, const char *path, const struct timespec *times, int flags)
{
    return path ? utimensat(at, path, times, flags) : futimens(at, times);
}

/* --- openat2 ------------------------------------------------------------------------------ */

#define RESOLVE_INSIDE (RESOLVE_BENEATH | RESOLVE_IN_ROOT)

/* Does the path stay below the directory that it starts from? */
static bool stays_inside(int at, const struct target *t)
{
    PINNED struct file *dir = fdtab_get(at);
    return dir && t->path_len >= dir->target.path_len &&
           memcmp(t->path, dir->target.path, dir->target.path_len) == 0;
}

static bool is_openat2_ours(int at, const char *path, const struct open_how *how, size_t size)
{
    if (size < sizeof(*how) || !how)
        return false;
    if (!(how->resolve & (RESOLVE_INSIDE | RESOLVE_NO_XDEV)))
        return true;
    return fdtab_has(at) && path && path[0] != '/'; /* nothing of ours is inside a real directory */
}

int openat2(int at, const char *path, const struct open_how *how, size_t size);
EXPORT int openat2(int at, const char *path, const struct open_how *how, size_t size)
{
    struct target t;
    if (is_openat2_ours(at, path, how, size)) {
        int r = hook_find(at, path, &t);
        if (r > 0 && (how->resolve & RESOLVE_INSIDE) && !stays_inside(at, &t))
            r = -EXDEV;
        if (r > 0)
            return openat(AT_FDCWD, t.path, (int)how->flags, (mode_t)how->mode);
        if (r < 0)
            return (int)hook_result(r);
    }
    return hook_new_fd((int)raw_syscall(SYS_openat2, at, (long)path, (long)how, (long)size, 0, 0));
}

/* --- the table ---------------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define DOOR(number, guard, hook)                                                                  \
    static long by_##number(const long *a)                                                         \
    {                                                                                              \
        return (long)(hook);                                                                       \
    }
#define OPENS(number, guard, hook) DOOR(number, guard, hook)
#include "preload/syscalls.def"
#undef DOOR
#undef OPENS

#define DOOR(number, guard, hook)  [SYS_##number] = {by_##number, guard, false},
#define OPENS(number, guard, hook) [SYS_##number] = {by_##number, guard, true},
__attribute__((used)) const struct door syscall_doors[RAW_DOORS] = {
#include "preload/syscalls.def"
};
/* NOLINTEND(bugprone-macro-parentheses) */

_Static_assert(sizeof(struct door) == RAW_DOOR_BYTES, "raw.c knows it");

static bool is_path_ours(int at, const char *path)
{
    return path ? !target_is_elsewhere(at, path) : at != AT_FDCWD && fdtab_has(at);
}

static bool is_ours(enum guard guard, const long *a)
{
    switch (guard) {
    case ALWAYS:
        return true;
    case FD:
        return fdtab_has(I(0));
    case FD2:
        return fdtab_has(I(1));
    case FD_PATH:
        return is_path_ours(AT_FDCWD, P(1));
    case PATH:
        return is_path_ours(AT_FDCWD, P(0));
    case PATH2:
        return is_path_ours(AT_FDCWD, P(0)) || is_path_ours(AT_FDCWD, P(1));
    case AT:
        return is_path_ours(I(0), P(1));
    case AT2:
        return is_path_ours(I(0), P(1)) || is_path_ours(I(2), P(3));
    case AT_OF:
        return is_path_ours(I(1), P(2));
    case DATA:
        return lazy_any() || fdtab_has(I(0));
    case LAZY:
        return lazy_any();
    case MAP:
        return !(I(3) & MAP_ANONYMOUS) && fdtab_has(I(4));
    case CWD:
        return cwd_is_mapped();
    }
    return true;
}

static bool takes_path(enum guard guard)
{
    return guard >= FD_PATH && guard <= AT_OF;
}

/* A hook may end in another preloaded library's function that makes its call by number, too
 * (tcmalloc's munmap): that one is for the kernel. */
static long call_once(const struct door *door, long number, const long *a, bool *nested)
{
    static __thread long inside = -1;
    long before = inside;
    *nested = before == number;
    if (*nested)
        return -1;
    inside = number;
    long r = door->call(a);
    inside = before;
    return r;
}

long syscall_by_hook(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
    const struct door *door = &syscall_doors[number];
    const long a[] = {a0, a1, a2, a3, a4, a5};
    bool nested = false;
    if (door->call && is_ours(door->guard, a)) {
        long done = call_once(door, number, a, &nested);
        if (!nested)
            return done;
    }
    int error = errno;
    long r = raw_syscall(number, a0, a1, a2, a3, a4, a5);
    if (nested)
        return r;
    if (r >= 0 && door->opens)
        hook_new_fd((int)r);
    if (r == -1 && takes_path(door->guard) && follow_may_help(errno)) {
        errno = error;
        return door->call(a); /* it looks at where the path leads */
    }
    return r;
}
