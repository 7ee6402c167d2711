/* getdents64, as programs call it that list directories themselves. */
#include "case.h"

#include <dirent.h>
#include <sys/syscall.h>

static void list(const char *name, size_t size)
{
    static char buffer[65536] __attribute__((aligned(8)));
    int fd = open(at(name), O_RDONLY | O_DIRECTORY);
    int n = 0, folders = 0, bytes = 0;
    ssize_t got;
    while ((got = getdents64(fd, buffer, size)) > 0)
        for (ssize_t used = 0; used < got;) {
            struct dirent64 *entry = (void *)(buffer + used);
            used += entry->d_reclen;
            n++;
            folders += entry->d_type == DT_DIR;
            bytes += (int)strlen(entry->d_name);
        }
    printf("%s by %zu: %d entries, %d directories, %d bytes, %s\n", name, size, n, folders, bytes, result(got));
    printf("again: %zd", getdents64(fd, buffer, size));
    printf(" rewound: %ld", (long)lseek(fd, 0, SEEK_SET));
    printf(" %d\n", getdents64(fd, buffer, size) > 0);
    close(fd);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    list("", 65536);
    list("nested", 300);
    list("pages", 65536);
    list("pages", 1024);
    list("marker", 4096);
    char small[8];
    int fd = open(at("pages"), O_RDONLY | O_DIRECTORY);
    printf("too small: %s\n", result(getdents64(fd, small, sizeof(small))));
    printf("a file: %s\n", result(getdents64(must_open("one-byte"), small, sizeof(small))));
    return 0;
}
