/* A program of liburing, which makes its own system calls: reads through a ring where it gets one, by
 * pread where it doesn't. What it reads is the same. */
#include "case.h"

#include <liburing.h>

#define PIECES 8
#define PIECE  70000

static void by_ring(struct io_uring *ring, int fd, char *data)
{
    for (int i = 0; i < PIECES; i++)
        io_uring_prep_read(io_uring_get_sqe(ring), fd, data + i * PIECE, PIECE, (__u64)i * PIECE);
    io_uring_submit(ring);
    for (int i = 0; i < PIECES; i++) {
        struct io_uring_cqe *done;
        if (io_uring_wait_cqe(ring, &done) == 0 && done->res != PIECE)
            printf("a piece: %d\n", done->res);
        io_uring_cqe_seen(ring, done);
    }
    io_uring_queue_exit(ring);
}

static void by_calls(int fd, char *data)
{
    for (int i = 0; i < PIECES; i++)
        if (pread(fd, data + i * PIECE, PIECE, (off_t)i * PIECE) != PIECE)
            perror("pread");
}

int main(int argc, char **argv)
{
    static char data[PIECES * PIECE];
    struct io_uring_params parameters = {0};
    struct io_uring ring;
    tree = argv[argc - 1];
    int fd = must_open("sizes/9MiB");
    for (int with_parameters = 0; with_parameters < 2; with_parameters++) {
        memset(data, 0, sizeof(data));
        int r = with_parameters ? io_uring_queue_init_params(PIECES, &ring, &parameters) : io_uring_queue_init(PIECES, &ring, 0);
        if (r == 0)
            by_ring(&ring, fd, data);
        else
            by_calls(fd, data);
        printf("%016lx\n", (unsigned long)digest(data, sizeof(data)));
    }
    return 0;
}
