/* Offsets beyond 2 and 4 GiB, in every way that takes one. */
#include "case.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    static const long long offsets[] = {2147483647LL, 2147483648LL, 4294967295LL, 4294967296LL, 5368709000LL};
    char data[64], line[64];
    struct stat st;
    int fd = must_open("big");
    printf("stat: %d %lld\n", fstat(fd, &st), (long long)st.st_size);
    printf("end: %lld\n", (long long)lseek(fd, 0, SEEK_END));
    FILE *f = fopen(at("big"), "r");
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        long long o = offsets[i];
        show("pread", data, pread(fd, data, sizeof(data), o));
        printf("lseek: %lld\n", (long long)lseek(fd, o, SEEK_SET));
        show("read", data, read(fd, data, sizeof(data)));
        printf("now: %lld\n", (long long)lseek(fd, -5, SEEK_CUR));
        struct iovec two[] = {{data, 10}, {data + 10, 30}};
        show("preadv", data, preadv(fd, two, 2, o + 1));
        printf("fseeko: %d", fseeko(f, o, SEEK_SET));
        printf(" %lld", (long long)ftello(f));
        printf(" %d", fgets(line, 20, f) != NULL);
        printf(" %lld\n", (long long)ftello(f));
        fpos_t position;
        fgetpos(f, &position);
        rewind(f);
        fsetpos(f, &position);
        printf("fsetpos: %lld\n", (long long)ftello(f));
        long long page = o & ~4095LL;
        char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, page);
        if (map == MAP_FAILED) {
            printf("mmap: %s\n", strerrorname_np(errno));
            continue;
        }
        show("mmap", map, page + 8192 > st.st_size ? 4096 : 8192);
        munmap(map, 8192);
    }
    printf("fseeko from the end: %d", fseeko(f, -3, SEEK_END));
    printf(" %lld %d\n", (long long)ftello(f), fgetc(f));
    fclose(f);
    printf("past: %zd\n", pread(fd, data, 10, st.st_size + 10));
    close(fd);
    return 0;
}
