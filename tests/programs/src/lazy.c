/* Maps that are touched before their blocks are here: by threads, children, handlers and system calls.
 * Each part maps its own window of one file, from the end to the beginning, so that reading ahead brings
 * only what was used already. What it prints must be what a local file gives. */
#include "case.h"

#include <aio.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>

#define WINDOW (768 * 1024) /* 12 blocks of 64 KiB */
#define BLOCK  65536

static int file_fd;
static off_t next_window;
static char *scratch;

static off_t take_window(void)
{
    next_window -= WINDOW;
    if (next_window < 0) {
        printf("too few windows\n");
        exit(1);
    }
    return next_window;
}

static char *fresh(int protection, int flags)
{
    off_t offset = take_window();
    char *map = mmap(NULL, WINDOW, protection, flags, file_fd, offset);
    if (map == MAP_FAILED) {
        printf("mmap: %s\n", strerrorname_np(errno));
        exit(1);
    }
    return map;
}

static char *shared(void)
{
    return fresh(PROT_READ, MAP_SHARED);
}

static char *writable(void)
{
    return fresh(PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static int scratch_file(void)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/scratch-XXXXXX", scratch);
    int fd = mkstemp(path);
    unlink(path);
    return fd;
}

static void show_file(const char *what, int fd)
{
    char *copy = malloc(4 * WINDOW);
    show(what, copy, pread(fd, copy, 4 * WINDOW, 0));
    free(copy);
    close(fd);
}

/* --- touches ------------------------------------------------------------------------------- */

static void touches(void)
{
    char *map = shared();
    printf("last byte: %d, middle: %d\n", map[WINDOW - 1], map[WINDOW / 2 + 1]);
    show("whole", map, WINDOW);

    map = writable();
    for (int i = 11; i >= 0; i--)
        map[i * BLOCK + 100] = (char)i; /* the first touch of each is a write */
    show("written before read", map, WINDOW);

    int fd = dup(file_fd);
    map = mmap(NULL, WINDOW, PROT_READ, MAP_PRIVATE, fd, take_window());
    close(fd);
    show("after close", map, WINDOW);

    map = fresh(PROT_READ, MAP_SHARED | MAP_POPULATE);
    show("populated", map, WINDOW);
    off_t odd = take_window() + 3 * 4096;
    map = mmap(NULL, 5 * BLOCK + 4097, PROT_READ, MAP_PRIVATE, file_fd, odd);
    show("odd window", map, 5 * BLOCK + 4097);
}

/* --- threads ------------------------------------------------------------------------------- */

static char *common;
static pthread_barrier_t together;

static void *same_block(void *unused)
{
    uint64_t sum = 0;
    for (int i = 0; i < 12; i++) {
        pthread_barrier_wait(&together);
        sum = sum * 31 + digest(common + (i * 7 % 12) * BLOCK, BLOCK);
    }
    return (void *)(uintptr_t)sum;
}

static void *writer(void *block)
{
    for (int i = 0; i < BLOCK; i++)
        ((char *)block)[i] ^= 0x55;
    return NULL;
}

static void threads(void)
{
    pthread_t all[12];
    void *sums[8];
    common = shared();
    pthread_barrier_init(&together, NULL, 8);
    for (int i = 0; i < 8; i++)
        pthread_create(&all[i], NULL, same_block, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(all[i], &sums[i]);
    int equal = 1;
    for (int i = 1; i < 8; i++)
        equal &= sums[i] == sums[0];
    printf("eight threads, one block at a time: %d %lx\n", equal, (unsigned long)sums[0]);

    char *map = writable(); /* neighbours are mapped along: that must not undo what was written */
    for (int i = 0; i < 12; i++)
        pthread_create(&all[i], NULL, writer, map + (i * 5 % 12) * BLOCK);
    for (int i = 0; i < 12; i++)
        pthread_join(all[i], NULL);
    show("twelve writers", map, WINDOW);
}

static void *digest_all(void *map)
{
    return (void *)(uintptr_t)digest(map, WINDOW);
}

/* Masks, small stacks. */
static void odd_threads(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before, seen;
    void *sum;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_sigmask(SIG_SETMASK, NULL, &seen);
    printf("blocked: %d before, %d now\n", sigismember(&before, SIGBUS), sigismember(&seen, SIGBUS));
    printf("every signal blocked: %lx\n", (unsigned long)digest_all(shared()));
    pthread_create(&thread, NULL, digest_all, shared());
    pthread_join(thread, &sum);
    printf("and in a thread that inherits that: %lx\n", (unsigned long)sum);
    sigprocmask(SIG_SETMASK, &before, &seen);
    printf("blocked until now: %d", sigismember(&seen, SIGBUS));
    sigprocmask(SIG_BLOCK, NULL, &seen);
    printf(", now: %d\n", sigismember(&seen, SIGBUS));

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32768);
    printf("on a stack of 32 KiB: %d", pthread_create(&thread, &attributes, digest_all, shared()));
    pthread_join(thread, &sum);
    printf(" %lx\n", (unsigned long)sum);
}

static ucontext_t main_context, coroutine;
static uint64_t coroutine_sum;

static void in_coroutine(void)
{
    coroutine_sum = digest(common, WINDOW);
}

static void coroutines(void)
{
    char *stack = malloc(8192);
    common = shared();
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = 8192;
    coroutine.uc_link = &main_context;
    makecontext(&coroutine, in_coroutine, 0);
    swapcontext(&main_context, &coroutine);
    printf("in a coroutine: %llx\n", (unsigned long long)coroutine_sum);
    free(stack);
}

/* --- children ------------------------------------------------------------------------------ */

static void report_child(const char *what, pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    printf("%s: %s %d\n", what, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
}

static void *fork_often(void *map)
{
    for (int i = 0; i < 12; i++) {
        uint64_t want = digest((char *)map + i * BLOCK, BLOCK);
        for (int n = 0; n < 3; n++) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(digest((char *)map + i * BLOCK, BLOCK) == want && digest(common, WINDOW) != 0 ? 0 : 1);
            int status = 0;
            waitpid(pid, &status, 0);
            if (status)
                printf("a child ended with %x\n", (unsigned)status);
        }
    }
    return NULL;
}

static void children(void)
{
    char *map = shared();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit((int)(digest(map, WINDOW) & 127));
    report_child("child", pid);
    printf("parent: %d\n", (int)(digest(map, WINDOW) & 127));

    map = writable();
    map[0] = 'p';
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        memset(map, 'c', 4 * BLOCK); /* the child's own copy */
        _exit((int)(digest(map, WINDOW) & 127));
    }
    report_child("child that writes", pid);
    show("its parent", map, WINDOW);

    map = shared();
    fflush(stdout);
    pid = vfork();
    if (pid == 0)
        _exit(map[5 * BLOCK] & 127);
    report_child("vfork", pid);
    show("its parent", map, WINDOW);

    pthread_t all[4];
    common = shared();
    for (int i = 0; i < 4; i++)
        pthread_create(&all[i], NULL, fork_often, i % 2 ? shared() : writable());
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
    show("forked among threads that fault", common, WINDOW);
}

/* --- what is done to the memory ---------------------------------------------------------------- */

static void holes(void)
{
    char *map = shared();
    printf("munmap of the middle: %s\n", result(munmap(map + 3 * BLOCK + 8192, 4 * BLOCK)));
    show("before it", map, 3 * BLOCK + 8192);
    show("behind it", map + 7 * BLOCK + 8192, 5 * BLOCK - 8192);
    map = shared();
    printf("of both ends: %s %s\n", result(munmap(map, 2 * BLOCK + 4096)), result(munmap(map + 10 * BLOCK - 4096, 2 * BLOCK + 4096)));
    show("what is left", map + 2 * BLOCK + 4096, 8 * BLOCK - 8192);

    map = writable();
    char *over = mmap(map + 4096, 6 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("fixed: %d\n", over == map + 4096);
    show("all of it", map, WINDOW);

    map = shared();
    char *less = mremap(map, WINDOW, 5 * BLOCK, 0);
    printf("shrunk: %d", less == map);
    show("", map, 5 * BLOCK);
    map = fresh(PROT_READ, MAP_PRIVATE);
    char *moved = mremap(map, BLOCK, BLOCK, MREMAP_MAYMOVE | MREMAP_FIXED, mmap(NULL, BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    show("moved", moved == MAP_FAILED ? NULL : moved, moved == MAP_FAILED ? -1 : BLOCK);
    show("the rest", map + BLOCK, WINDOW - BLOCK);
    munmap(moved, BLOCK);
}

static sigjmp_buf back;

static void jump(int number)
{
    siglongjmp(back, number);
}

static const char *touch(volatile char *byte, int write)
{
    int number = sigsetjmp(back, 1);
    if (number)
        return number == SIGBUS ? "SIGBUS" : "SIGSEGV";
    if (write)
        *byte = 1;
    else
        (void)*byte;
    return "fine";
}

static void protection(void)
{
    signal(SIGSEGV, jump);
    signal(SIGBUS, jump);
    char *map = writable();
    printf("read-only in the middle: %s", result(mprotect(map + 4 * BLOCK - 4096, 2 * BLOCK, PROT_READ)));
    printf(" %s", touch(map + 5 * BLOCK, 1));
    printf(" %s\n", touch(map + 8 * BLOCK, 1));
    show("whole", map, WINDOW);
    map = fresh(PROT_NONE, MAP_SHARED);
    printf("none: %s", touch(map + 100, 0));
    printf(" %s", result(mprotect(map, 3 * BLOCK, PROT_READ)));
    printf(" %s", touch(map + 100, 0));
    printf(" %s\n", touch(map + 3 * BLOCK, 0));
    show("what may be read", map, 3 * BLOCK);
    map = shared();
    printf("shared: %s", result(mprotect(map, WINDOW, PROT_READ | PROT_WRITE)));
    printf(" %s\n", touch(map + 2 * BLOCK, 1));
    show("whole", map, WINDOW);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static void advice(void)
{
    unsigned char pages[WINDOW / 4096];
    char *map = shared();
    printf("mincore: %s\n", result(mincore(map, WINDOW, pages)));
    printf("willneed, sequential: %s %s\n", result(madvise(map, WINDOW, MADV_WILLNEED)), result(madvise(map, WINDOW, MADV_SEQUENTIAL)));
    printf("msync: %s\n", result(msync(map, WINDOW, MS_SYNC)));
    show("then", map, WINDOW);
    map = writable();
    memset(map + BLOCK - 10, 'x', 20);
    printf("dontneed: %s\n", result(madvise(map, WINDOW, MADV_DONTNEED)));
    show("then", map, WINDOW);
    map = shared();
    printf("mlock: %s %s\n", result(mlock(map + 2 * BLOCK, 4096)), result(munlock(map + 2 * BLOCK, 4096)));
    show("then", map, WINDOW);
    map = shared();
    printf("populate: %s\n", result(madvise(map + 4096, 3 * BLOCK, 22)));
    show("then", map, WINDOW);
}

/* --- memory that the kernel is handed ------------------------------------------------------- */

static void kernel_reads(void)
{
    int fd = scratch_file();
    printf("write: %d\n", write(fd, shared(), WINDOW) == WINDOW);
    char *map = shared();
    printf("pwrite: %d\n", pwrite(fd, map + 5000, 4 * BLOCK, WINDOW) == 4 * BLOCK);
    map = shared();
    struct iovec pieces[] = {{map + 4 * BLOCK, BLOCK}, {map, 100}, {map + 9 * BLOCK, 2 * BLOCK}};
    lseek(fd, 0, SEEK_END);
    printf("writev: %d\n", writev(fd, pieces, 3) == 3 * BLOCK + 100);
    map = shared();
    printf("by number: %d\n", syscall(1 /* write */, fd, map + BLOCK, 3 * BLOCK) == 3 * BLOCK);
    show_file("written", fd);

    FILE *stream = fdopen(fd = scratch_file(), "w+");
    printf("fwrite: %zu\n", fwrite(shared(), 1, WINDOW, stream));
    printf("fprintf: %d\n", fprintf(stream, "%.100000s", shared()) > 0);
    fflush(stream);
    show_file("streamed", fd);

    int pair[2];
    char got[BLOCK];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    map = shared();
    printf("send: %zd", send(pair[0], map + 2 * BLOCK - 5000, 10000, 0));
    show("", got, recv(pair[1], got, sizeof(got), 0));
    struct iovec piece = {map + 6 * BLOCK - 5000, 10000};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    printf("sendmsg: %zd", sendmsg(pair[0], &message, 0));
    show("", got, recv(pair[1], got, sizeof(got), 0));
    printf("sendto: %zd", sendto(pair[0], map + 9 * BLOCK, 10000, 0, NULL, 0));
    show("", got, recv(pair[1], got, sizeof(got), 0));
}

static void kernel_writes(void)
{
    char *map = writable();
    int fd = scratch_file();
    for (int i = 0; i < WINDOW / 4; i++)
        ((int *)(void *)map)[i] ^= i;
    pwrite(fd, map, WINDOW, 0);
    map = writable();
    printf("read: %zd %zd\n", read(fd, map + 1000, 3 * BLOCK), pread(fd, map + 5 * BLOCK, 2 * BLOCK, 0));
    show("then", map, WINDOW);
    map = writable();
    printf("of a file of the tree: %zd\n", pread(file_fd, map + 4000, 3 * BLOCK, 100));
    show("then", map, WINDOW);
    map = writable();
    FILE *stream = fdopen(fd, "r");
    rewind(stream);
    printf("fread: %zu\n", fread(map + 4 * BLOCK + 10, 1, 5 * BLOCK, stream));
    show("then", map, WINDOW);
    fclose(stream);
}

/* --- the program's own handlers ---------------------------------------------------------------- */

static volatile sig_atomic_t caught;
static uint64_t in_handler;

static void on_user(int number)
{
    caught = number;
    in_handler = digest(common, WINDOW);
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    (void)context;
    printf("handler: %d %d %d\n", number, info->si_code == BUS_ADRERR, (char *)info->si_addr == common);
    siglongjmp(back, 1);
}

static void handlers(void)
{
    struct sigaction action = {.sa_handler = on_user}, before;
    stack_t alternate = {.ss_sp = malloc(16384), .ss_size = 16384};
    sigaltstack(&alternate, NULL);
    sigfillset(&action.sa_mask);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR1, NULL, &before);
    printf("mask of a handler: %d\n", sigismember(&before.sa_mask, SIGBUS));
    common = shared();
    raise(SIGUSR1);
    printf("in a handler, on its own stack: %d %llx\n", caught, (unsigned long long)in_handler);

    action = (struct sigaction){.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    printf("sigaction: %s", result(sigaction(SIGBUS, &action, &before)));
    printf(" %d", before.sa_handler == SIG_DFL);
    sigaction(SIGBUS, NULL, &before);
    printf(" %d %d\n", before.sa_sigaction == on_bus, (before.sa_flags & (SA_SIGINFO | SA_ONSTACK)) == (SA_SIGINFO | SA_ONSTACK));
    struct stat st;
    fstat(file_fd, &st);
    show("beside it", shared(), WINDOW);
    char *end = mmap(NULL, 4 * BLOCK, PROT_READ, MAP_SHARED, file_fd, (st.st_size - BLOCK) & ~4095L);
    for (int i = 0; i < 2; i++) {
        common = end + 3 * BLOCK;
        if (!sigsetjmp(back, 1))
            printf("read %d\n", *(volatile char *)common);
    }
    printf("signal: %d", signal(SIGBUS, SIG_IGN) == (sighandler_t)(void *)on_bus);
    printf(" %d\n", signal(SIGBUS, SIG_DFL) == SIG_IGN);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(*(volatile char *)(end + 3 * BLOCK));
    report_child("behind the end, by default", pid);
    pid = fork();
    if (pid == 0) {
        raise(SIGBUS);
        _exit(0);
    }
    report_child("raised", pid);
    signal(SIGBUS, SIG_IGN);
    raise(SIGBUS);
    show("ignored, and still", shared(), WINDOW);
    signal(SIGBUS, SIG_DFL);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    scratch = getenv("T");
    file_fd = must_open("lazy");
    next_window = lseek(file_fd, 0, SEEK_END) / WINDOW * WINDOW;
    void (*parts[])(void) = {touches, threads, odd_threads, coroutines, children, holes, protection, advice, kernel_reads, kernel_writes, handlers};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        parts[i]();
        fflush(stdout);
    }
    return 0;
}
