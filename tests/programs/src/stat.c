/* The stat family agrees with itself. */
#include "case.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

extern int __xstat(int version, const char *path, struct stat *st);
extern int __lxstat(int version, const char *path, struct stat *st);
extern int __fxstat(int version, int fd, struct stat *st);
extern int __fxstatat(int version, int fd, const char *path, struct stat *st, int flags);
#define OLD_VERSION 1 /* _STAT_VER of x86-64; 0 elsewhere */

static int same(const struct stat *a, const struct stat *b)
{
    return a->st_mode == b->st_mode && a->st_size == b->st_size && a->st_ino == b->st_ino &&
           a->st_dev == b->st_dev && a->st_nlink == b->st_nlink && a->st_uid == b->st_uid &&
           a->st_gid == b->st_gid && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_blocks == b->st_blocks &&
           a->st_blksize == b->st_blksize;
}

static void agree(const char *name)
{
    struct stat a, b;
    struct stat64 c;
    struct statx x;
    int fd = open(at(name), O_RDONLY);
    int top = open(tree, O_RDONLY | O_DIRECTORY);
    printf("%s: %d", name, stat(at(name), &a));
    printf(" lstat %d", lstat(at(name), &b) == 0 && same(&a, &b));
    printf(" fstat %d", fstat(fd, &b) == 0 && same(&a, &b));
    printf(" fstatat %d", fstatat(top, name, &b, 0) == 0 && same(&a, &b));
    printf(" nofollow %d", fstatat(top, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && same(&a, &b));
    printf(" empty path %d", fstatat(fd, "", &b, AT_EMPTY_PATH) == 0 && same(&a, &b));
    printf(" absolute %d", fstatat(-100, at(name), &b, 0) == 0 && same(&a, &b));
    printf(" stat64 %d", stat64(at(name), &c) == 0 && c.st_size == a.st_size && c.st_mode == a.st_mode);
    printf(" fstat64 %d", fstat64(fd, &c) == 0 && c.st_ino == a.st_ino);
#ifdef __x86_64__
    printf(" old %d", __xstat(OLD_VERSION, at(name), &b) == 0 && same(&a, &b));
    printf(" %d", __lxstat(OLD_VERSION, at(name), &b) == 0 && same(&a, &b));
    printf(" %d", __fxstat(OLD_VERSION, fd, &b) == 0 && same(&a, &b));
    printf(" %d", __fxstatat(OLD_VERSION, top, name, &b, 0) == 0 && same(&a, &b));
#endif
    printf(" statx %d", statx(AT_FDCWD, at(name), 0, STATX_BASIC_STATS, &x) == 0 && x.stx_size == (uint64_t)a.st_size &&
                            x.stx_mode == a.st_mode && x.stx_ino == a.st_ino &&
                            makedev(x.stx_dev_major, x.stx_dev_minor) == a.st_dev &&
                            (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    printf(" by fd %d\n", statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x) == 0 && x.stx_size == (uint64_t)a.st_size);
    printf("  %o %d %d %d\n", a.st_mode, a.st_uid == getuid(), a.st_gid == getgid(), a.st_blksize > 0);
    if (S_ISREG(a.st_mode))
        printf("  %ld %ld %ld blocks %d\n", (long)a.st_size, (long)a.st_nlink, (long)a.st_mtime,
               a.st_blocks * 512 >= a.st_size || a.st_size < 4096);
    close(fd);
    close(top);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    static const char *names[] = {"text/alpha.txt", "empty", "one-byte", "sizes/4MiB", "names/plus+plus", "text", "marker", "nested/a"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        agree(names[i]);
    struct stat st;
    struct statx x;
    static const char *wrong[] = {"missing", "one-byte/below", "one-byte/", "no/such", ""};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        printf("%s: %s", wrong[i], result(stat(at(wrong[i]), &st)));
        printf(" %s", result(lstat(at(wrong[i]), &st)));
        printf(" %s", result(statx(AT_FDCWD, at(wrong[i]), 0, STATX_ALL, &x)));
        printf(" %s", result(access(at(wrong[i]), F_OK)));
        printf(" %s", result(faccessat(AT_FDCWD, at(wrong[i]), R_OK, AT_EACCESS)));
        printf(" %s\n", result(euidaccess(at(wrong[i]), R_OK)));
    }
    printf("no path: %s\n", result(fstatat(AT_FDCWD, "", &st, 0)));
    printf("bad fd: %s\n", result(fstat(-1, &st)));
    return 0;
}
