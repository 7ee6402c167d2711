/* io_uring, set up by number: refused, so that the program takes plain calls. */
#include "case.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
    struct io_uring_params parameters;
    char byte;
    tree = argv[argc - 1];
    for (int i = 0; i < 2; i++) {
        memset(&parameters, 0, sizeof(parameters));
        printf("ring: %s\n", result(syscall(SYS_io_uring_setup, 4, &parameters)));
    }
    printf("read: %s\n", result(read(must_open("one-byte"), &byte, 1)));
    return 0;
}
