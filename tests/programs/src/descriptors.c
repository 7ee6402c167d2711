/* Descriptor arithmetic: dup in all forms, close in all forms, what is left open. */
#include "case.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

extern int close_range(unsigned first, unsigned last, int flags);

static void next_bytes(const char *what, int fd)
{
    char text[8] = "";
    ssize_t n = read(fd, text, 5);
    printf("%s: %zd %s\n", what, n, n < 0 ? strerrorname_np(errno) : text);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    int fd = must_open("text/alpha.txt");
    int a = dup(fd);
    next_bytes("fd", fd);
    next_bytes("dup", a);
    int b = dup2(fd, 100);
    next_bytes("dup2", b);
    int d = dup3(fd, 101, O_CLOEXEC);
    next_bytes("dup3", d);
    printf("dup3 flags: %d %d\n", fcntl(d, F_GETFD), fcntl(b, F_GETFD));
    int e = fcntl(fd, F_DUPFD, 200);
    int f = fcntl64(fd, F_DUPFD_CLOEXEC, 200);
    printf("F_DUPFD: %d %d %d\n", e, f, fcntl(f, F_GETFD));
    next_bytes("F_DUPFD", e);
    printf("dup3 onto itself: %s\n", result(dup3(fd, fd, 0)));
    printf("dup2 of nothing: %s\n", result(dup2(999, fd)));
    next_bytes("still open", fd);
    close(fd);
    next_bytes("closed", fd);
    next_bytes("the others live", e);

    int waiting = 0;
    lseek(e, -3, SEEK_END);
    printf("FIONREAD: %s", result(ioctl(e, FIONREAD, &waiting)));
    printf(" %d, a terminal: %d\n", waiting, isatty(e));

    int one = must_open("one-byte"), crlf = must_open("text/crlf.txt");
    dup2(one, crlf);
    next_bytes("over another", crlf);
    printf("position shared: %ld\n", (long)lseek(one, 0, SEEK_CUR));
    int local = open("/dev/zero", O_RDONLY);
    dup2(local, one);
    char byte = 1;
    printf("local over ours: %zd %d\n", read(one, &byte, 1), byte);
    int ours = must_open("text/crlf.txt");
    dup2(ours, local);
    next_bytes("ours over local", local);

    struct stat st;
    printf("close_range: %s", result(close_range(100, 300, 0)));
    printf(" %s %s\n", result(fstat(b, &st)), result(fstat(e, &st)));
    closefrom(3);
    printf("closefrom: %s\n", result(fcntl(a, F_GETFD)));
    fd = must_open("text/crlf.txt");
    printf("lowest again: %d\n", fd);
    next_bytes("and it reads", fd);
    for (int i = 0; i < 10000; i++) {
        int again = open(at("one-byte"), O_RDONLY);
        if (again != fd + 1 || close(again) != 0) {
            printf("round %d got %d\n", i, again);
            break;
        }
    }
    printf("double close: %s", result(close(fd)));
    printf(" %s\n", result(close(fd)));
    return 0;
}
