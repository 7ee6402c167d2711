/* One descriptor read by several processes at once, and by threads while others fork: each byte
 * goes to one of them. */
#include "case.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PROCESSES 4
#define FORKS     40

/* In memory that all processes share. */
struct seen {
    atomic_long bytes;
    _Atomic uint64_t sum;
    atomic_int ready;
};

static struct seen *seen;
static int fd;

static void read_all(size_t piece)
{
    unsigned char *buffer = malloc(2 * piece);
    struct iovec pieces[2] = {{buffer, piece}, {buffer + piece, piece}};
    for (int turn = 0;; turn++) {
        ssize_t n = turn % 3 ? read(fd, buffer, piece) : readv(fd, pieces, 2);
        if (n <= 0)
            break;
        uint64_t sum = 0;
        for (ssize_t i = 0; i < n; i++)
            sum += buffer[i];
        seen->bytes += n;
        seen->sum += sum;
    }
    free(buffer);
}

static void begin(void)
{
    fd = open(at("sizes/9MiB"), O_RDONLY);
    seen->bytes = 0;
    seen->sum = 0;
    seen->ready = 0;
}

static void tell(const char *who, size_t piece)
{
    printf("%s, %zu: %ld bytes, sum %lu, then at %ld\n", who, piece, (long)seen->bytes,
           (unsigned long)seen->sum, (long)lseek(fd, 0, SEEK_CUR));
    close(fd);
}

static void by_processes(size_t piece)
{
    begin();
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            for (seen->ready++; seen->ready < PROCESSES;)
                ;
            read_all(piece);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    tell("processes", piece);
}

static void *thread(void *piece)
{
    read_all(*(size_t *)piece);
    return NULL;
}

/* The first fork moves the offset out of this process while the threads read on. */
static void by_threads_that_fork(size_t piece)
{
    pthread_t threads[3];
    begin();
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, thread, &piece);
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            read_all(piece);
            _exit(0);
        }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    while (wait(NULL) > 0)
        ;
    tell("threads", piece);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    by_processes(700);
    by_processes(65536);
    by_processes(1 << 20);
    for (int i = 0; i < FORKS; i++)
        by_threads_that_fork(4096);
    return 0;
}
