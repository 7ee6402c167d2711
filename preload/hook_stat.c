/* stat and its kin, also as binaries built before glibc 2.33 call them, and statfs. */
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "preload/hook.h"
#include "preload/lookup.h"
#include "preload/refuse.h"
#include "preload/statfill.h"

#define FS_MAGIC  0x7761726d /* "warm" */
#define FS_BLOCK  4096
#define FS_BLOCKS (1ull << 38) /* a petabyte: nobody knows how large a bucket may grow */

/* By number, because a libc before 2.33 has no function of the name. */
static int real_fstatat(int at, const char *path, struct stat *st, int flags)
{
    return (int)syscall(SYS_newfstatat, at, path, st, flags);
}

/* libc said no: was it because the path leads to what only we know? */
static __attribute__((noinline)) int stat_follow(int at, const char *path, struct stat *st,
                                                 int flags)
{
    struct target t;
    int r = hook_follow(true, at, path, flags, &t);
    if (r > 0)
        r = lookup_stat(&t, st);
    else if (r == 0)
        return -1;
    return (int)hook_result(r);
}

/* 1: ours and `st` is filled, or negative with errno set. 0: libc's, and `*path` what it should be
 * asked about, perhaps out of `t`. */
static int stat_ours(int at, const char **path, struct target *t, struct stat *st, int flags)
{
    bool empty = *path && !**path && (flags & AT_EMPTY_PATH);
    if (empty && at != AT_FDCWD) {
        PINNED struct file *f = fdtab_get(at);
        if (f)
            file_stat(f, st);
        return f != NULL;
    }
    const char *dot = ".";
    int found = hook_find(at, *(empty ? &dot : path), t);
    if (found == 0 || (found > 0 && t->descriptor && (flags & AT_SYMLINK_NOFOLLOW)))
        return 0;
    if (found > 0)
        found = lookup_stat(t, st);
    return found < 0 ? (int)hook_result(found) : 1;
}

/* Paths that may be ours. */
static __attribute__((noinline)) int stat_slow(int at, const char *path, struct stat *st, int flags)
{
    struct target t;
    int r = stat_ours(at, &path, &t, st, flags);
    if (r != 0)
        return r < 0 ? -1 : 0;
    r = real_fstatat(at, path, st, flags);
    return r == 0 ? 0 : stat_follow(at, path, st, flags);
}

/* The common case has to be quick: a path elsewhere that exists. */
EXPORT int stat(const char *path, struct stat *st)
{
    if (!target_is_elsewhere(AT_FDCWD, path))
        return stat_slow(AT_FDCWD, path, st, 0);
    int r = REAL(stat)(path, st);
    return r == 0 ? 0 : stat_follow(AT_FDCWD, path, st, 0);
}

EXPORT int lstat(const char *path, struct stat *st)
{
    if (!target_is_elsewhere(AT_FDCWD, path))
        return stat_slow(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
    int r = REAL(lstat)(path, st);
    return r == 0 ? 0 : stat_follow(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int fstat(int fd, struct stat *st)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(fstat)(fd, st);
    file_stat(f, st);
    return 0;
}

EXPORT int fstatat(int at, const char *path, struct stat *st, int flags)
{
    if (!target_is_elsewhere(at, path))
        return stat_slow(at, path, st, flags);
    int r = REAL(fstatat)(at, path, st, flags);
    return r == 0 ? 0 : stat_follow(at, path, st, flags);
}

int __xstat(int version, const char *path, struct stat *st);
EXPORT int __xstat(int version, const char *path, struct stat *st)
{
    (void)version;
    if (!target_is_elsewhere(AT_FDCWD, path))
        return stat_slow(AT_FDCWD, path, st, 0);
    int r = real_fstatat(AT_FDCWD, path, st, 0);
    return r == 0 ? 0 : stat_follow(AT_FDCWD, path, st, 0);
}

int __lxstat(int version, const char *path, struct stat *st);
EXPORT int __lxstat(int version, const char *path, struct stat *st)
{
    (void)version;
    if (!target_is_elsewhere(AT_FDCWD, path))
        return stat_slow(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
    int r = real_fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
    return r == 0 ? 0 : stat_follow(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int __fxstat(int version, int fd, struct stat *st);
EXPORT int __fxstat(int version, int fd, struct stat *st)
{
    PINNED struct file *f = fdtab_get(fd);
    (void)version;
    if (!f)
        return (int)syscall(SYS_fstat, fd, st);
    file_stat(f, st);
    return 0;
}

int __fxstatat(int version, int at, const char *path, struct stat *st, int flags);
EXPORT int __fxstatat(int version, int at, const char *path, struct stat *st, int flags)
{
    (void)version;
    if (!target_is_elsewhere(at, path))
        return stat_slow(at, path, st, flags);
    int r = real_fstatat(at, path, st, flags);
    return r == 0 ? 0 : stat_follow(at, path, st, flags);
}

/* By number too, for the same reason. */
static int make_node(int at, const char *path, mode_t mode, dev_t device)
{
    struct target t;
    int r = hook_find(at, path, &t);
    if (r == 0) {
        int done = (int)syscall(SYS_mknodat, at, path, mode, device);
        if ((r = hook_follow(done < 0, at, path, 0, &t)) == 0)
            return done;
    }
    return (int)hook_result(r < 0 ? r : refuse_change(REFUSE_MAKE, path, &t));
}

int __xmknod(int version, const char *path, mode_t mode, dev_t *device);
EXPORT int __xmknod(int version, const char *path, mode_t mode, dev_t *device)
{
    (void)version;
    return make_node(AT_FDCWD, path, mode, *device);
}

int __xmknodat(int version, int at, const char *path, mode_t mode, dev_t *device);
EXPORT int __xmknodat(int version, int at, const char *path, mode_t mode, dev_t *device)
{
    (void)version;
    return make_node(at, path, mode, *device);
}

static struct statx_timestamp statx_time(struct timespec t)
{
    return (struct statx_timestamp){.tv_sec = t.tv_sec, .tv_nsec = (uint32_t)t.tv_nsec};
}

static void fill_statx(struct statx *x, const struct stat *st)
{
    memset(x, 0, sizeof(*x));
    x->stx_mask = STATX_BASIC_STATS;
    x->stx_blksize = (uint32_t)st->st_blksize;
    x->stx_nlink = (uint32_t)st->st_nlink;
    x->stx_uid = st->st_uid;
    x->stx_gid = st->st_gid;
    x->stx_mode = (uint16_t)st->st_mode;
    x->stx_ino = st->st_ino;
    x->stx_size = (uint64_t)st->st_size;
    x->stx_blocks = (uint64_t)st->st_blocks;
    x->stx_atime = statx_time(st->st_atim);
    x->stx_mtime = statx_time(st->st_mtim);
    x->stx_ctime = statx_time(st->st_ctim);
    x->stx_dev_major = major(st->st_dev);
    x->stx_dev_minor = minor(st->st_dev);
}

static int statx_slow(int at, const char *path, int flags, unsigned mask, struct statx *x)
{
    struct target t;
    struct stat st;
    int r = stat_ours(at, &path, &t, &st, flags);
    if (r == 0 && REAL(statx)(at, path, flags, mask, x) == 0)
        return 0;
    if (r < 0 || (r == 0 && stat_follow(at, path, &st, flags) < 0))
        return -1;
    fill_statx(x, &st);
    return 0;
}

EXPORT int statx(int at, const char *path, int flags, unsigned mask, struct statx *x)
{
    struct stat st;
    if (!target_is_elsewhere(at, path))
        return statx_slow(at, path, flags, mask, x);
    if (REAL(statx)(at, path, flags, mask, x) == 0)
        return 0;
    if (stat_follow(at, path, &st, flags) < 0)
        return -1;
    fill_statx(x, &st);
    return 0;
}

/* --- file systems ----------------------------------------------------------------------- */

static void fill_statfs(struct statfs *st)
{
    memset(st, 0, sizeof(*st));
    st->f_type = FS_MAGIC;
    st->f_bsize = st->f_frsize = FS_BLOCK;
    st->f_blocks = FS_BLOCKS; /* and none is free: nothing can be written */
    st->f_files = FS_BLOCKS;
    st->f_namelen = 255;
    st->f_flags = ST_RDONLY;
}

static void fill_statvfs(struct statvfs *st)
{
    memset(st, 0, sizeof(*st));
    st->f_bsize = st->f_frsize = FS_BLOCK;
    st->f_blocks = FS_BLOCKS; /* and none is free: nothing can be written */
    st->f_files = FS_BLOCKS;
    st->f_namemax = 255;
    st->f_flag = ST_RDONLY;
}

/* 1: mapped and there; 0: libc's; -1: mapped, errno is set. */
static int exists(const char **path, struct target *t)
{
    struct stat st;
    return stat_ours(AT_FDCWD, path, t, &st, 0);
}

static int exists_after_all(bool failed, const char *path)
{
    struct target t;
    struct stat st;
    int r = hook_follow(failed, AT_FDCWD, path, 0, &t);
    if (r > 0)
        r = lookup_stat(&t, &st);
    else if (r == 0)
        return 0;
    return r < 0 ? (int)hook_result(r) : 1;
}

EXPORT int statfs(const char *path, struct statfs *st)
{
    struct target t;
    int r = exists(&path, &t);
    if (r == 0) {
        int done = REAL(statfs)(path, st);
        if ((r = exists_after_all(done < 0, path)) == 0)
            return done;
    }
    if (r > 0)
        fill_statfs(st);
    return r > 0 ? 0 : -1;
}

EXPORT int fstatfs(int fd, struct statfs *st)
{
    if (!fdtab_has(fd))
        return REAL(fstatfs)(fd, st);
    fill_statfs(st);
    return 0;
}

EXPORT int statvfs(const char *path, struct statvfs *st)
{
    struct target t;
    int r = exists(&path, &t);
    if (r == 0) {
        int done = REAL(statvfs)(path, st);
        if ((r = exists_after_all(done < 0, path)) == 0)
            return done;
    }
    if (r > 0)
        fill_statvfs(st);
    return r > 0 ? 0 : -1;
}

EXPORT int fstatvfs(int fd, struct statvfs *st)
{
    if (!fdtab_has(fd))
        return REAL(fstatvfs)(fd, st);
    fill_statvfs(st);
    return 0;
}
