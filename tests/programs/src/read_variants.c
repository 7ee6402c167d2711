/* Every call that reads, at the places where blocks meet. */
#include "case.h"

#include <sys/uio.h>

extern ssize_t __read_chk(int fd, void *buffer, size_t n, size_t size);
extern ssize_t __pread_chk(int fd, void *buffer, size_t n, off_t offset, size_t size);
extern ssize_t __pread64_chk(int fd, void *buffer, size_t n, off_t offset, size_t size);

static char buffer[10 << 20];

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    int fd = must_open("sizes/9MiB");
    static const off_t offsets[] = {0, 1, 4095, 4194303, 4194304, 4194305, 8388607, 9437183, 9437184, 9437185};
    static const size_t sizes[] = {0, 1, 2, 4096, 65537, 4194304, 4194306, sizeof(buffer)};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++)
        for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
            off_t o = offsets[i];
            size_t n = sizes[j];
            show("pread", buffer, pread(fd, buffer, n, o));
            show("pread64", buffer, pread64(fd, buffer, n, o));
            printf("lseek %ld ", (long)lseek64(fd, o, SEEK_SET));
            show("read", buffer, read(fd, buffer, n));
            printf("at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
        }
    show("__pread_chk", buffer, __pread_chk(fd, buffer, 5000, 4194300, sizeof(buffer)));
    show("__pread64_chk", buffer, __pread64_chk(fd, buffer, 5000, 4194300, sizeof(buffer)));
    lseek(fd, 100, SEEK_SET);
    show("__read_chk", buffer, __read_chk(fd, buffer, 5000, sizeof(buffer)));

    struct iovec parts[] = {{buffer, 3}, {buffer + 3, 0}, {buffer + 3, 4194304}, {buffer + 4194307, 100}};
    show("readv", buffer, readv(fd, parts, 4));
    show("preadv", buffer, preadv(fd, parts, 4, 5000000));
    show("preadv64", buffer, preadv64(fd, parts, 4, 4194300));
    show("preadv2", buffer, preadv2(fd, parts, 4, 9437000, 0));
    show("preadv2 at the position", buffer, preadv2(fd, parts, 1, -1, 0));
    show("no parts", buffer, readv(fd, parts, 0));
    show("negative offset", buffer, pread(fd, buffer, 1, -1));
    show("descriptor of a directory", buffer, pread(must_open("text"), buffer, 10, 0));
    show("closed descriptor", buffer, read(-1, buffer, 10));
    printf("readahead: %s\n", result(readahead(fd, 0, 65536)));
    for (int advice = POSIX_FADV_NORMAL; advice <= POSIX_FADV_NOREUSE + 1; advice++)
        printf("fadvise %d: %d %d\n", advice, posix_fadvise(fd, 0, 0, advice), posix_fadvise(fd, 4194304, 100, advice));
    printf("fadvise: %d %d\n", posix_fadvise(fd, 0, -1, POSIX_FADV_WILLNEED), posix_fadvise(-1, 0, 0, POSIX_FADV_WILLNEED));
    printf("beyond the end: %d\n", posix_fadvise(fd, 1LL << 60, 1LL << 60, POSIX_FADV_WILLNEED));
    printf("of a directory: %d", posix_fadvise(must_open("text"), 0, 0, POSIX_FADV_WILLNEED));
    printf(" %s\n", result(readahead(must_open("text"), 0, 10)));
    show("after hints", buffer, pread(fd, buffer, 100, 4194300));
    return 0;
}
