/* stat and its kin, also as binaries built before glibc 2.33 call them, and statfs. */
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "preload/hook.h"
#include "preload/lookup.h"
#include "preload/statfill.h"

#define FS_MAGIC  0x7761726d /* "warm" */
#define FS_BLOCK  4096
#define FS_BLOCKS (1ull << 38) /* a petabyte: nobody knows how large a bucket may grow */

/* By number, because a libc before 2.33 has no function of the name. */
static int real_fstatat(int at, const char *path, struct stat *st, int flags)
{
    return (int)syscall(SYS_newfstatat, at, path, st, flags);
}

/* True when it was ours; `*r` is then what the hook returns, with errno set. Else `*path` is what
 * libc should be asked, perhaps out of `t`. */
static bool stat_path(int at, const char **path, struct target *t, struct stat *st, int flags,
                      int *r)
{
    bool empty = *path && !**path && (flags & AT_EMPTY_PATH);
    if (empty && at != AT_FDCWD) {
        PINNED struct file *f = fdtab_get(at);
        if (f)
            file_stat(f, st);
        *r = 0;
        return f != NULL;
    }
    const char *dot = ".";
    int found = hook_find(at, *(empty ? &dot : path), t);
    if (found == 0)
        return false;
    *r = (int)hook_result(found < 0 ? found : lookup_stat(t, st));
    return true;
}

/* libc's answer, unless that is ENOENT for a directory that exists only because a mapping lies
 * below it. */
static int or_ancestor(int r, int at, const char *path, struct target *t, struct stat *st)
{
    if (r == 0 || errno != ENOENT || !target_is_ancestor(at, path, t))
        return r;
    statfill(st, t, WIRE_DIR, 0, 0);
    return 0;
}

EXPORT int stat(const char *path, struct stat *st)
{
    struct target t;
    int r;
    if (stat_path(AT_FDCWD, &path, &t, st, 0, &r))
        return r;
    return or_ancestor(REAL(stat)(path, st), AT_FDCWD, path, &t, st);
}

EXPORT int lstat(const char *path, struct stat *st)
{
    struct target t;
    int r;
    if (stat_path(AT_FDCWD, &path, &t, st, AT_SYMLINK_NOFOLLOW, &r))
        return r;
    return or_ancestor(REAL(lstat)(path, st), AT_FDCWD, path, &t, st);
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
    struct target t;
    int r;
    if (stat_path(at, &path, &t, st, flags, &r))
        return r;
    return or_ancestor(REAL(fstatat)(at, path, st, flags), at, path, &t, st);
}

int __xstat(int version, const char *path, struct stat *st);
EXPORT int __xstat(int version, const char *path, struct stat *st)
{
    struct target t;
    int r;
    (void)version;
    if (stat_path(AT_FDCWD, &path, &t, st, 0, &r))
        return r;
    return or_ancestor(real_fstatat(AT_FDCWD, path, st, 0), AT_FDCWD, path, &t, st);
}

int __lxstat(int version, const char *path, struct stat *st);
EXPORT int __lxstat(int version, const char *path, struct stat *st)
{
    struct target t;
    int r;
    (void)version;
    if (stat_path(AT_FDCWD, &path, &t, st, AT_SYMLINK_NOFOLLOW, &r))
        return r;
    r = real_fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
    return or_ancestor(r, AT_FDCWD, path, &t, st);
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
    struct target t;
    int r;
    (void)version;
    if (stat_path(at, &path, &t, st, flags, &r))
        return r;
    return or_ancestor(real_fstatat(at, path, st, flags), at, path, &t, st);
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

EXPORT int statx(int at, const char *path, int flags, unsigned mask, struct statx *x)
{
    struct target t;
    struct stat st;
    int r;
    if (!stat_path(at, &path, &t, &st, flags, &r)) {
        r = REAL(statx)(at, path, flags, mask, x);
        if (r == 0 || (r = or_ancestor(r, at, path, &t, &st)) < 0)
            return r;
    }
    if (r == 0)
        fill_statx(x, &st);
    return r;
}

/* --- file systems ----------------------------------------------------------------------- */

static void fill_statfs(struct statfs *st)
{
    memset(st, 0, sizeof(*st));
    st->f_type = FS_MAGIC;
    st->f_bsize = st->f_frsize = FS_BLOCK;
    st->f_blocks = st->f_bfree = st->f_bavail = FS_BLOCKS;
    st->f_files = st->f_ffree = FS_BLOCKS;
    st->f_namelen = 255;
    st->f_flags = ST_RDONLY;
}

static void fill_statvfs(struct statvfs *st)
{
    memset(st, 0, sizeof(*st));
    st->f_bsize = st->f_frsize = FS_BLOCK;
    st->f_blocks = st->f_bfree = st->f_bavail = FS_BLOCKS;
    st->f_files = st->f_ffree = st->f_favail = FS_BLOCKS;
    st->f_namemax = 255;
    st->f_flag = ST_RDONLY;
}

/* 1: mapped and there; 0: libc's; -1: mapped, errno is set. */
static int exists(const char **path, struct target *t)
{
    struct stat st;
    int r;
    if (!stat_path(AT_FDCWD, path, t, &st, 0, &r))
        return 0;
    return r < 0 ? -1 : 1;
}

EXPORT int statfs(const char *path, struct statfs *st)
{
    struct target t;
    int r = exists(&path, &t);
    if (r == 0)
        return REAL(statfs)(path, st);
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
    if (r == 0)
        return REAL(statvfs)(path, st);
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
