/* splice and sendfile from a file in the tree: into a pipe by one thread, beyond its room, with and
 * without an offset. */
#include "case.h"

#include <sys/sendfile.h>

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    int ends[2], fd = must_open("sizes/4MiB+1"), data = must_open("one-byte");
    static char all[5 << 20];
    size_t len = 0;
    if (pipe(ends) != 0)
        return 1;
    for (;;) {  /* one thread fills and empties: neither call may wait for the other */
        ssize_t n = splice(fd, NULL, ends[1], NULL, 1 << 20, 0);
        if (n <= 0)
            break;
        while (n > 0) {
            ssize_t got = read(ends[0], all + len, (size_t)n);
            len += (size_t)got;
            n -= got;
        }
    }
    show("spliced", all, (ssize_t)len);
    printf("offset %ld\n", (long)lseek(fd, 0, SEEK_CUR));
    off_t at = 4 << 20;
    ssize_t n = splice(fd, &at, ends[1], NULL, 10, 0);
    printf("at an offset: %zd, now %ld, file at %ld\n", n, (long)at, (long)lseek(fd, 0, SEEK_CUR));
    read(ends[0], all, 1);
    at = 0;
    size_t put = 0;
    while ((n = splice(fd, &at, ends[1], NULL, 1 << 20, SPLICE_F_NONBLOCK)) > 0)
        put += (size_t)n;
    printf("full: %s, all of it %d\n", result(n), put == 65536);
    while (put > 0)
        put -= (size_t)read(ends[0], all, put);
    printf("to a file: %s\n", result(splice(fd, &at, open("out", O_WRONLY | O_CREAT, 0600), NULL, 10, 0)));
    printf("with an output offset: %s\n", result(splice(fd, NULL, ends[1], &at, 10, 0)));
    printf("end: %zd\n", splice(fd, NULL, ends[1], NULL, 10, 0));
    int out = open("sent", O_RDWR | O_CREAT, 0600);
    lseek(fd, 0, SEEK_SET);
    printf("sendfile: %zd\n", sendfile(out, fd, NULL, 8 << 20));
    printf("read: %zd\n", pread(out, all, sizeof(all), 0));
    show("sent", all, (4 << 20) + 1);
    printf("one byte: %zd\n", sendfile(out, data, NULL, 10));
    return 0;
}
