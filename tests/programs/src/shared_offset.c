/* One descriptor read by four threads at once: each byte goes to one of them. */
#include "case.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

static int fd;
static atomic_long total;
static _Atomic uint64_t sum;

static void *read_all(void *user)
{
    size_t piece = *(size_t *)user;
    unsigned char *buffer = malloc(2 * piece);
    struct iovec pieces[2] = {{buffer, piece}, {buffer + piece, piece}};
    for (int turn = 0;; turn++) {
        ssize_t n = turn % 2 ? readv(fd, pieces, 2) : read(fd, buffer, piece);
        if (n <= 0)
            break;
        total += n;
        uint64_t bytes = 0;
        for (ssize_t i = 0; i < n; i++)
            bytes += buffer[i];
        sum += bytes;
    }
    free(buffer);
    return NULL;
}

int main(int argc, char **argv)
{
    static size_t pieces[] = {1000, 4096, 65536, 300000};
    tree = argv[argc - 1];
    for (size_t p = 0; p < sizeof(pieces) / sizeof(*pieces); p++) {
        pthread_t threads[4];
        fd = open(at("sizes/9MiB"), O_RDONLY);
        total = 0;
        sum = 0;
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, read_all, &pieces[p]);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        printf("%zu: %ld bytes, sum %lu, then at %ld\n", pieces[p], (long)total, (unsigned long)sum,
               (long)lseek(fd, 0, SEEK_CUR));
        close(fd);
    }
    return 0;
}
