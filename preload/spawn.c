#include "preload/spawn.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/options.h"
#include "preload/memory.h"
#include "preload/real.h"
#include "preload/state.h"

#define START_TIMEOUT_MS 20000
#define LOCK_WAIT_MS     10
#define STACK_BYTES      (64 * 1024)
#define ENV_MAX          1024

extern char **environ;

struct plan {
    const char *program;
    int ready_fd; /* the agent writes to it */
    int null_fd;
    char ready_arg[12];
    char *args[4];
    char *env[ENV_MAX + 2];
    char socket[300]; /* WARMPATH_SOCKET=… */
    char *stack;
    volatile int error; /* of execve, seen through shared memory */
};

static int find_program(char *out, size_t size, char *why, size_t why_size)
{
    const char *given = option_text(OPT_AGENT);
    Dl_info here;
    if (*given) {
        snprintf(out, size, "%s", given);
    } else {
        if (!dladdr((void *)find_program, &here) || !here.dli_fname)
            here.dli_fname = "";
        const char *slash = strrchr(here.dli_fname, '/');
        snprintf(out, size, "%.*s/warmpathd", (int)(slash ? slash - here.dli_fname : 1),
                 slash ? here.dli_fname : ".");
    }
    if (REAL(access)(out, X_OK) == 0)
        return 0;
    int error = errno;
    snprintf(why, why_size,
             "the agent's program %s can't be run (%s): set WARMPATH_AGENT to where warmpathd is",
             out, strerror(error));
    return -error;
}

/* The agent gets the job's environment but for what is the job's alone: its preloads, its
 * libraries, its secrets (which come by HELLO, for each job apart). */
static bool is_private(const char *var)
{
    static const char *const names[] = {
        "LD_",         "AWS_",   "WARMPATH_MAP=", "WARMPATH_JOB=", "WARMPATH_REPORT=",
        "GCONV_PATH=", "MALLOC_"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(var, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void plan_environment(struct plan *p)
{
    size_t n = 0;
    for (char **var = environ; var && *var && n < ENV_MAX; var++)
        if (!is_private(*var))
            p->env[n++] = *var;
    /* The socket that this process settled on at its start, whatever it did to its environment
     * since. */
    p->env[n++] = p->socket;
    p->env[n] = NULL;
}

/* The second child: becomes the agent. Shares memory with the job until then: only plain system
 * calls. */
static int become_agent(void *user)
{
    struct plan *p = user;
    sigset_t none;
    setsid();
    sigemptyset(&none);
    REAL(sigprocmask)(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < 3; i++)
        syscall(SYS_dup3, p->null_fd, i, 0);
    syscall(SYS_fcntl, p->ready_fd, F_SETFD, 0);
    syscall(SYS_execve, p->program, p->args, p->env);
    p->error = errno;
    syscall(SYS_exit_group, 127);
    return 127;
}

/* The first child: leaves the second to init and is gone, so that the job never has a child to
 * wait for. It raises no SIGCHLD either (no exit signal), and plain wait() does not see it. */
static int fork_once_more(void *user)
{
    struct plan *p = user;
    int flags = CLONE_VM | CLONE_VFORK;
    if (clone(become_agent, p->stack + STACK_BYTES, flags, p) < 0)
        p->error = errno;
    syscall(SYS_exit_group, 0);
    return 0;
}

static int launch(struct plan *p)
{
    char *stacks = memory_map(2 * STACK_BYTES);
    if (!stacks)
        return -ENOMEM;
    p->stack = stacks;
    sigset_t all, before;
    sigfillset(&all);
    REAL(sigprocmask)
    (SIG_SETMASK, &all, &before); /* no handler of the job's runs in the children */
    int pid = clone(fork_once_more, stacks + 2 * STACK_BYTES, CLONE_VM | CLONE_VFORK, p);
    int r = pid < 0 ? -errno : 0;
    if (pid > 0)
        while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
            ;
    REAL(sigprocmask)(SIG_SETMASK, &before, NULL);
    memory_unmap(stacks, 2 * STACK_BYTES);
    return r < 0 ? r : -p->error;
}

/* The agent's first words: "ok\n", or why it could not start. */
static int wait_ready(int fd, char *why, size_t why_size)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int r;
    do
        r = poll(&wait, 1, START_TIMEOUT_MS);
    while (r < 0 && errno == EINTR);
    if (r == 0) {
        snprintf(why, why_size, "the agent did not start within %d s", START_TIMEOUT_MS / 1000);
        return -ETIMEDOUT;
    }
    long n = syscall(SYS_read, fd, why, why_size - 1);
    if (n <= 0) {
        snprintf(why, why_size,
                 "the agent ended while it started; run warmpathd --foreground to "
                 "see why");
        return -EIO;
    }
    why[n] = '\0';
    return strcmp(why, "ok\n") == 0 ? 0 : -EIO;
}

static bool somebody_listens(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct timeval limit = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* its queue may be full */
    strncpy(address.sun_path, socket_path, sizeof(address.sun_path) - 1);
    int r = connect(fd, (struct sockaddr *)&address, sizeof(address));
    syscall(SYS_close, fd);
    return r == 0 || errno == EAGAIN;
}

/* The agent's 0, 1 and 2 are made from these: a job that closed its own may have got them there. */
static int out_of_the_way(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int moved = REAL(fcntl)(fd, F_DUPFD_CLOEXEC, 3);
    syscall(SYS_close, fd);
    return moved;
}

static int start(const char *socket_path, char *why, size_t why_size)
{
    struct plan plan = {.error = 0};
    char program[4096];
    int ready[2];
    int r = find_program(program, sizeof(program), why, why_size);
    if (r < 0)
        return r;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return -errno;
    plan.program = program;
    ready[1] = plan.ready_fd = out_of_the_way(ready[1]);
    plan.null_fd = out_of_the_way(REAL(open)("/dev/null", O_RDWR | O_CLOEXEC));
    snprintf(plan.ready_arg, sizeof(plan.ready_arg), "%d", ready[1]);
    plan.args[0] = program;
    plan.args[1] = (char *)"--ready";
    plan.args[2] = plan.ready_arg;
    snprintf(plan.socket, sizeof(plan.socket), "WARMPATH_SOCKET=%s", socket_path);
    plan_environment(&plan);
    r = plan.null_fd < 0 ? -errno : launch(&plan);
    syscall(SYS_close, ready[1]);
    if (plan.null_fd >= 0)
        syscall(SYS_close, plan.null_fd);
    if (r < 0)
        snprintf(why, why_size, "the agent %s can't be started: %s", program, strerror(-r));
    else
        r = wait_ready(ready[0], why, why_size);
    syscall(SYS_close, ready[0]);
    return r;
}

/* 1: the lock is ours. 0: no need any more, an agent answers. -ETIMEDOUT. */
static int take_lock(int lock, const char *socket_path)
{
    for (int waited_ms = 0; waited_ms < START_TIMEOUT_MS; waited_ms += LOCK_WAIT_MS) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
            return 1;
        if (somebody_listens(socket_path))
            return 0;
        poll(NULL, 0, LOCK_WAIT_MS);
    }
    return -ETIMEDOUT;
}

int spawn_agent(const char *socket_path, char *why, size_t why_size)
{
    char lock_path[256];
    snprintf(lock_path, sizeof(lock_path), "%s.lock", socket_path);
    int lock = REAL(open)(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
        int error = errno;
        snprintf(why, why_size,
                 "%s can't be made (%s): set WARMPATH_SOCKET to a path in a directory of your own",
                 lock_path, strerror(error));
        return -error;
    }
    fchmod(lock, 0600); /* whatever the umask: others of the user open it too */
    int r = take_lock(lock, socket_path);
    if (r > 0)
        r = somebody_listens(socket_path) ? 0 : start(socket_path, why, why_size);
    else if (r < 0)
        snprintf(why, why_size, "another process has been starting the agent for %d s and holds %s",
                 START_TIMEOUT_MS / 1000, lock_path);
    /* By name: a child that was forked meanwhile holds the descriptor too. */
    flock(lock, LOCK_UN);
    syscall(SYS_close, lock);
    return r;
}
