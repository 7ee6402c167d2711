/* Calls that few programs make, on a file and a directory of the tree. */
#include "case.h"

#include <aio.h>
#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>

extern char *__getwd_chk(char *buf, size_t room);
extern ssize_t __write(int fd, const void *buf, size_t n);
extern FILE *_IO_fopen(const char *path, const char *mode);
extern int _IO_fclose(FILE *stream);

static void waits(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    printf("poll: %d", poll(&one, 1, 1000));
    printf(" %d\n", one.revents);
    struct timespec second = {.tv_sec = 1};
    printf("ppoll: %d\n", ppoll(&one, 1, &second, NULL));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    struct timeval limit = {.tv_sec = 1};
    printf("select: %d\n", select(fd + 1, &set, NULL, NULL, &limit));
    printf("pselect: %d\n", pselect(fd + 1, &set, NULL, NULL, &second, NULL));
    struct epoll_event event = {.events = EPOLLIN};
    printf("epoll_ctl: %s\n", result(epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, fd, &event)));
}

static void maps(int fd)
{
    unsigned char there[16];
    char *map = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE, fd, 0);
    volatile char first = map[0];
    (void)first;
    printf("madvise: %s", result(madvise(map, 65536, MADV_WILLNEED)));
    printf(" posix_madvise: %d", posix_madvise(map, 65536, POSIX_MADV_SEQUENTIAL));
    printf(" mincore: %s %d", result(mincore(map, 65536, there)), there[0] & 1);
    printf(" msync: %s", result(msync(map, 65536, MS_SYNC)));
    char *less = mremap(map, 65536, 8192, 0);
    printf(" mremap: %d", less == map);
    show("", less, 8192);
    printf("munmap: %s\n", result(munmap(less, 8192)));
}

/* A range may grow, or the program is told to map anew; it never shows other bytes. */
static void grown(void)
{
    int small = must_open("sizes/64KiB"), large = must_open("sizes/9MiB");
    char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, small, 0);
    map = mremap(map, 4096, 65536, MREMAP_MAYMOVE);
    show("grown", map, map == MAP_FAILED ? -1 : 65536);
    printf("unmapped: %s\n", result(munmap(map, 65536)));
    map = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE, large, 0);
    char *more = mremap(map, 1 << 20, 9 << 20, MREMAP_MAYMOVE);
    if (more == MAP_FAILED)
        more = errno == ENOMEM ? mmap(NULL, 9 << 20, PROT_READ, MAP_PRIVATE, large, 0) : NULL;
    show("grown far", more, 9 << 20);
    munmap(map, 1 << 20);
    char *plain = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    plain = mremap(plain, 4096, 16 << 20, MREMAP_MAYMOVE);
    printf("plain: %d\n", plain != MAP_FAILED && plain[(16 << 20) - 1] == 0);
}

static void directories(void)
{
    char records[4096], where[PATH_MAX];
    off_t base = -1;
    int n = 0, fd = open(at("text"), O_RDONLY | O_DIRECTORY);
    struct stat st;
    for (ssize_t bytes; (bytes = getdirentries(fd, records, sizeof(records), &base)) > 0;)
        for (ssize_t i = 0; i < bytes; i += ((struct dirent *)(void *)(records + i))->d_reclen)
            n++;
    printf("getdirentries: %d\n", n);
    printf("flock of a directory: %s\n", result(flock(fd, LOCK_EX | LOCK_NB)));
    printf("fsync of a directory: %s\n", result(fsync(fd)));
    stat(at("text"), &st);
    key_t key = ftok(at("text"), 'x');
    printf("ftok: %d", key == (key_t)((st.st_ino & 0xffff) | (st.st_dev & 0xff) << 16 | 'x' << 24));
    printf(" %s\n", ftok(at("missing"), 'x') == -1 ? strerrorname_np(errno) : "a key");
    chdir(at("text"));
    printf("getwd: %s\n", __getwd_chk(where, sizeof(where)));
    chdir("/");
}

int main(int argc, char **argv)
{
    char text[64];
    tree = argv[argc - 1];
    int fd = must_open("sizes/64KiB");
    waits(fd);
    maps(fd);
    grown();
    directories();
    printf("flock: %s", result(flock(fd, LOCK_SH)));
    printf(" %s\n", result(flock(must_open("sizes/64KiB"), LOCK_EX | LOCK_NB)));
    printf("write: %s", result(__write(fd, "x", 1)));
    struct iovec piece = {text, sizeof(text)};
    printf(" pwritev2: %s\n", result(pwritev2(fd, &piece, 1, 0, 0)));
    printf("sync_file_range: %s, tee: %s, vmsplice: %s\n", result(sync_file_range(fd, 0, 0, 0)), result(tee(fd, 1, 10, 0)),
           result(vmsplice(fd, &piece, 1, 0)));
    FILE *stream = _IO_fopen(at("text/crlf.txt"), "r");
    printf("_IO_fopen: %zu", fread(text, 1, sizeof(text), stream));
    printf(" %d\n", _IO_fclose(stream));
    struct aiocb request = {.aio_fildes = fd, .aio_buf = text, .aio_nbytes = sizeof(text)};
    int r = aio_read(&request);
    while (r == 0 && aio_error(&request) == EINPROGRESS)
        usleep(1000);
    printf("aio_read: %s\n", (r < 0 && errno == ENOSYS) || aio_return(&request) == sizeof(text) ? "right or refused" : "wrong");
    printf("nameless: %d\n", fileno(tmpfile()) >= 0);
    char *name = tempnam(at("text"), "x");
    printf("tempnam: %s\n", name ? "a name" : "none");
    return 0;
}
