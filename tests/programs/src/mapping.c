/* mmap: shared for reading, private for writing, parts, and what must be refused. */
#include "case.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define SIZE 9437184

static sigjmp_buf back;

static void on_fault(int number)
{
    siglongjmp(back, number);
}

static const char *touch(const volatile char *at_byte)
{
    int number = sigsetjmp(back, 1);
    if (number)
        return number == SIGBUS ? "SIGBUS" : "SIGSEGV";
    (void)*at_byte;
    return "readable";
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    signal(SIGBUS, on_fault);
    signal(SIGSEGV, on_fault);
    int fd = must_open("sizes/9MiB");

    char *shared = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    show("shared", shared, SIZE);
    char *private = mmap64(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    memset(private + 4194000, 'w', 1000);
    show("private, written", private, SIZE);
    show("shared, still", shared, SIZE);
    char buffer[1000];
    show("file, still", buffer, pread(fd, buffer, sizeof(buffer), 4194000));
    printf("write to shared: %s\n", mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    printf("mprotect: %s\n", result(mprotect(private, 4096, PROT_READ)));
    printf("msync, madvise: %s %s\n", result(msync(shared, SIZE, MS_ASYNC)), result(madvise(shared, SIZE, MADV_SEQUENTIAL)));

    char *part = mmap(NULL, 300000, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 4194304 - 4096 * 3);
    show("part over a border", part, 300000);
    char *tail = mmap(NULL, 4096 * 4, PROT_READ, MAP_SHARED, fd, SIZE - 4096);
    show("tail", tail, 4096);
    printf("past the end: %s\n", touch(tail + 2 * 4096));
    printf("unaligned: %s\n", mmap(NULL, 10, PROT_READ, MAP_SHARED, fd, 100) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    printf("no length: %s\n", mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? strerrorname_np(errno) : "mapped");

    int odd = must_open("sizes/4095");
    char *short_one = mmap(NULL, 4096, PROT_READ, MAP_SHARED, odd, 0);
    show("zeros after the end of the file", short_one, 4096);

    char *place = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *fixed = mmap(place + 65536, 131072, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 8192);
    printf("fixed: %d", fixed == place + 65536);
    show("", fixed, 131072);

    printf("munmap of a part: %s", result(munmap(shared + 4096, 8192)));
    printf(" %s %s %s\n", touch(shared), touch(shared + 4096), touch(shared + 12288));
    char *moved = mremap(part, 300000, 600000, MREMAP_MAYMOVE);
    printf("mremap: ");
    if (moved == MAP_FAILED)
        moved = mmap(NULL, 600000, PROT_READ, MAP_PRIVATE, fd, 4194304 - 4096 * 3);
    show("", moved, 600000);

    close(fd);
    show("after close", private, SIZE);
    printf("munmap: %s\n", result(munmap(private, SIZE)));
    printf("of a directory: %s\n", mmap(NULL, 10, PROT_READ, MAP_SHARED, must_open("text"), 0) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    return 0;
}
