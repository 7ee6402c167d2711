/* Hooks in a signal handler while other hooks are at work, and in children forked from a process
 * with busy threads. */
#include "case.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

static const char *const names[] = {"text/alpha.txt", "text/beta.txt", "sizes/64KiB", "one-byte", "many/file-007.txt", "many/file-008.txt"};
#define FILES (sizeof(names) / sizeof(names[0]))

static char paths[FILES][4096];
static char heads[FILES][65];
static long sizes[FILES];
static _Atomic long handled;
static atomic_int wrong, stop;

/* Only what POSIX allows in a signal handler. */
static int check(unsigned i)
{
    char head[64] = "";
    struct stat st;
    i %= FILES;
    int fd = open(paths[i], O_RDONLY);
    if (fd < 0)
        return 1;
    ssize_t n = read(fd, head, sizeof(head)), again = pread(fd, head, sizeof(head), 0);
    int bad = n != again || memcmp(head, heads[i], (size_t)(n > 0 ? n : 0)) != 0;
    bad |= fstat(fd, &st) != 0 || st.st_size != sizes[i] || stat(paths[i], &st) != 0 || st.st_size != sizes[i];
    bad |= access("/mapped/none/at/all", F_OK) == 0;
    return close(fd) != 0 || bad;
}

static void on_signal(int number)
{
    int saved = errno;
    (void)number;
    if (check((unsigned)++handled))
        wrong = 1;
    errno = saved;
}

static void *work(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !stop; i++)
        if (check(i))
            wrong = 2;
    return NULL;
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    for (size_t i = 0; i < FILES; i++) {
        struct stat st;
        strcpy(paths[i], at(names[i]));
        int fd = must_open(names[i]);
        read(fd, heads[i], 64);
        fstat(fd, &st);
        sizes[i] = st.st_size;
        close(fd);
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (unsigned i = 0; i < 4000 || handled < 200; i++)
        if (check(i))
            wrong = 3;
    setitimer(ITIMER_REAL, &never, NULL);
    printf("with signals: %s\n", wrong ? "wrong" : "right");

    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    int bad = 0;
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(30); /* a lock that another thread held would stay locked */
            signal(SIGALRM, SIG_DFL);
            int failed = check((unsigned)i) | check((unsigned)i + 1);
            if (i % 4 == 0)
                {
                dup2(open("/dev/null", O_WRONLY), 1);
                execl(at("bin/show"), "show", NULL);
            }
            _exit(failed ? 1 : 3);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 3;
    }
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("children of threads: %d bad, threads: %s\n", bad, wrong ? "wrong" : "right");
    return wrong;
}
