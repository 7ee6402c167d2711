/* syscall() with the numbers that runtimes use: what it gives is what the functions give. */
#include "case.h"

#include <limits.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void reads(void)
{
    char a[64], b[64];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, at("text/alpha.txt"), O_RDONLY | O_CLOEXEC);
    show("read", a, syscall(SYS_read, fd, a, sizeof(a)));
    show("pread", a, syscall(SYS_pread64, fd, a, sizeof(a), 1000L));
    struct iovec two[] = {{a, sizeof(a)}, {b, sizeof(b)}};
    printf("readv %ld", syscall(SYS_readv, fd, two, 2));
    show("", b, sizeof(b));
    printf("preadv %ld", syscall(SYS_preadv, fd, two, 2, 5000L, 0L));
    show("", b, sizeof(b));
    printf("lseek %ld", syscall(SYS_lseek, fd, 0L, SEEK_CUR));
    printf(" %ld\n", syscall(SYS_lseek, fd, -5L, SEEK_END));
    show("rest", a, syscall(SYS_read, fd, a, sizeof(a)));
    printf("past the end: %ld\n", syscall(SYS_pread64, fd, a, sizeof(a), 1L << 40));
    printf("flags: %lo\n", syscall(SYS_fcntl, fd, F_GETFL) & O_ACCMODE);
    long copy = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 100L);
    show("of a copy", a, syscall(SYS_pread64, copy, a, sizeof(a), 64L));
    printf("dup3 %d", syscall(SYS_dup3, fd, 200L, O_CLOEXEC) == 200);
    show("", a, syscall(SYS_pread64, 200L, a, sizeof(a), 128L));
    char *map = (char *)syscall(SYS_mmap, NULL, 4096L, PROT_READ, MAP_PRIVATE, fd, 0L);
    show("mmap", map, 4096);
    printf("write: %s\n", result(syscall(SYS_write, fd, "x", 1L)));
    printf("close: %s %s %s\n", result(syscall(SYS_close, fd)), result(syscall(SYS_close, 200L)), result(syscall(SYS_close, copy)));
    printf("closed: %s\n", result(syscall(SYS_read, fd, a, sizeof(a))));
}

static void names(void)
{
    struct stat st;
    struct statx x;
    struct statfs fs;
    char text[PATH_MAX];
    int top = (int)syscall(SYS_openat, AT_FDCWD, tree, O_RDONLY | O_DIRECTORY);
    long r = syscall(SYS_newfstatat, top, "one-byte", &st, 0);
    printf("newfstatat: %s %lld\n", result(r), (long long)st.st_size);
    r = syscall(SYS_newfstatat, top, "", &st, AT_EMPTY_PATH);
    printf("empty path: %s %d\n", result(r), S_ISDIR(st.st_mode));
    r = syscall(SYS_statx, top, "text/crlf.txt", 0, STATX_ALL, &x);
    printf("statx: %s %lld\n", result(r), (long long)x.stx_size);
    printf("statx of nothing: %s\n", result(syscall(SYS_statx, 0, NULL, 0, STATX_BASIC_STATS, NULL)));
    r = syscall(SYS_fstat, top, &st);
    printf("fstat: %s %d\n", result(r), S_ISDIR(st.st_mode));
    printf("statfs: %s\n", result(syscall(SYS_statfs, tree, &fs)));
    printf("faccessat: %s %s\n", result(syscall(SYS_faccessat, top, "one-byte", R_OK)), result(syscall(SYS_faccessat, top, "missing", R_OK)));
    printf("faccessat2: %s\n", result(syscall(SYS_faccessat2, top, "one-byte", R_OK, AT_EACCESS)));
    printf("readlinkat: %s\n", result(syscall(SYS_readlinkat, top, "one-byte", text, sizeof(text))));
    printf("missing: %s, below a file: %s\n", result(syscall(SYS_openat, top, "missing", O_RDONLY)),
           result(syscall(SYS_openat, top, "one-byte/x", O_RDONLY)));
#ifdef SYS_open
    printf("old calls: %s %s %s %s %s\n", result(syscall(SYS_open, at("one-byte"), O_RDONLY)), result(syscall(SYS_stat, at("one-byte"), &st)),
           result(syscall(SYS_lstat, at("text"), &st)), result(syscall(SYS_access, at("empty"), R_OK)),
           result(syscall(SYS_readlink, at("empty"), text, sizeof(text))));
#endif
    printf("chdir: %s", result(syscall(SYS_chdir, at("text"))));
    long n = syscall(SYS_getcwd, text, sizeof(text));
    printf(" %s %d", text, n == (long)strlen(text) + 1);
    printf(" %s", result(syscall(SYS_getcwd, text, 3L)));
    printf(" %s\n", result(syscall(SYS_openat, AT_FDCWD, "crlf.txt", O_RDONLY)));
    printf("fchdir: %s %s\n", result(syscall(SYS_fchdir, top)), result(syscall(SYS_openat, AT_FDCWD, "one-byte", O_RDONLY)));
    syscall(SYS_chdir, "/");
    int entries = 0;
    char records[4096];
    for (long bytes; (bytes = syscall(SYS_getdents64, top, records, sizeof(records))) > 0;)
        for (long i = 0; i < bytes; i += *(unsigned short *)(records + i + 16))
            entries++;
    printf("getdents64: %d\n", entries);
    syscall(SYS_close_range, (long)top, (long)top, 0L);
    printf("close_range: %s\n", result(syscall(SYS_fstat, top, &st)));
}

static void second_generation(void)
{
    char text[64];
    int top = open(tree, O_PATH | O_DIRECTORY);
    struct open_how how = {.flags = O_RDONLY};
    show("openat2", text, read((int)syscall(SYS_openat2, top, "text/crlf.txt", &how, sizeof(how)), text, sizeof(text)));
    how.resolve = RESOLVE_BENEATH;
    printf("beneath: %s", result(syscall(SYS_openat2, top, "text/../one-byte", &how, sizeof(how))));
    printf(" %s", result(syscall(SYS_openat2, top, "../x", &how, sizeof(how))));
    printf(" %s\n", result(syscall(SYS_openat2, top, "/etc/passwd", &how, sizeof(how))));
    how.resolve = RESOLVE_NO_SYMLINKS;
    printf("no links: %s\n", result(syscall(SYS_openat2, AT_FDCWD, at("one-byte"), &how, sizeof(how))));
    printf("short: %s\n", result(syscall(SYS_openat2, top, "one-byte", &how, 4L)));
}

static int add(int *sum)
{
    return ++*sum;
}

/* Links on the local disk that lead into the tree. */
static void links(void)
{
    struct stat st;
    symlink(tree, "l");
    long fd = syscall(SYS_openat, AT_FDCWD, "l/one-byte", O_RDONLY);
    long r = syscall(SYS_newfstatat, AT_FDCWD, "l", &st, 0);
    printf("links: %s %s %d\n", result(fd), result(r), S_ISDIR(st.st_mode));
    r = syscall(SYS_newfstatat, AT_FDCWD, "l", &st, AT_SYMLINK_NOFOLLOW);
    printf("itself: %s %d\n", result(r), S_ISLNK(st.st_mode));
    printf("nothing there: %s\n", result(syscall(SYS_openat, AT_FDCWD, "l/nothing", O_RDONLY)));
}

/* What must pass through unharmed: six arguments, forks of every kind, errors, errno. */
static void others(void)
{
    int sum = 41, status = 0;
    errno = 7;
    printf("getpid: %d, errno %d\n", syscall(SYS_getpid) == getpid(), errno);
    printf("no such call: %s %s\n", result(syscall(100000L)), result(syscall(-5L)));
    char *page = (char *)syscall(SYS_mmap, NULL, 8192L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
    page[8191] = 1;
    printf("munmap: %s\n", result(syscall(SYS_munmap, page, 8192L)));
    fflush(stdout);
    long child = syscall(SYS_clone, 17L, 0L, 0L, 0L, 0L);
    if (child == 0)
        _exit(add(&sum));
    waitpid((pid_t)child, &status, 0);
    printf("clone: %d %d\n", WEXITSTATUS(status), sum);
    int local = open("local.txt", O_RDWR | O_CREAT, 0600);
    printf("local: %ld", syscall(SYS_write, local, "hello", 5L));
    printf(" %ld", syscall(SYS_pwrite64, local, "J", 1L, 0L));
    printf(" %ld\n", syscall(SYS_lseek, local, 0L, SEEK_SET));
    char text[16] = "";
    syscall(SYS_read, local, text, sizeof(text));
    printf("%s, unlinked: %s\n", text, result(syscall(SYS_unlinkat, AT_FDCWD, "local.txt", 0)));
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    reads();
    names();
    second_generation();
    chdir(getenv("T"));
    links();
    others();
    return 0;
}
