/* Threads that open, read, map and close at once, on own and on shared descriptors. */
#include "case.h"

#include <pthread.h>
#include <sys/mman.h>

#define THREADS 8
#define ROUNDS  60

static int shared;
static uint64_t expected[64];

static void *work(void *number)
{
    long me = (long)number, wrong = 0;
    char *buffer = malloc(200000);
    for (int round = 0; round < ROUNDS; round++) {
        int piece = (int)((me * 7 + round * 13) % 64);
        off_t offset = piece * 140001L;
        pread(shared, buffer, 140001, offset);
        wrong += digest(buffer, 140001) != expected[piece];
        int fd = open(at("sizes/9MiB"), O_RDONLY);
        lseek(fd, offset, SEEK_SET);
        wrong += read(fd, buffer, 140001) != 140001 || digest(buffer, 140001) != expected[piece];
        char *view = mmap(NULL, 9437184, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        wrong += digest(view + offset, 140001) != expected[piece];
        munmap(view, 9437184);
    }
    free(buffer);
    return (void *)wrong;
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    static char whole[9437184];
    shared = must_open("sizes/9MiB");
    for (size_t n = 0; n < sizeof(whole);) {
        ssize_t r = pread(shared, whole + n, sizeof(whole) - n, (off_t)n);
        if (r <= 0)
            return 1;
        n += (size_t)r;
    }
    show("whole", whole, sizeof(whole));
    for (int i = 0; i < 64; i++)
        expected[i] = digest(whole + i * 140001L, 140001);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    long wrong = 0;
    for (int i = 0; i < THREADS; i++) {
        void *mine;
        pthread_join(threads[i], &mine);
        wrong += (long)mine;
    }
    printf("%ld wrong of %d\n", wrong, THREADS * ROUNDS * 3);
    printf("next descriptor: %d\n", open("/dev/null", O_RDONLY) - shared);
    return 0;
}
