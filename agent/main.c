/* warmpathd: the agent of one user and one store on one node.
 *
 * Started by the first job (or by hand, or as a service). It says how the start went on the
 * descriptor named by --ready: "ok\n", or a sentence for the job's log. It goes away when no job
 * was connected for WARMPATH_IDLE_TIMEOUT. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/cluster.h"
#include "agent/copies.h"
#include "agent/logfile.h"
#include "agent/session.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"
#include "common/thread.h"
#include "fetch/keyring.h"

#define TICK_MS        STORE_WATCH_MS
#define LISTEN_BACKLOG 512

static struct agent agent;
static char socket_path[4096];
static int64_t idle_since_ms;
static int ready_fd = -1;

static void complain(const char *sentence)
{
    log_warn("options", "%s", sentence);
}

/* Tells whoever started the agent; it waits for this. */
static void say_ready(const char *text)
{
    if (ready_fd < 0)
        return;
    ssize_t ignored = write(ready_fd, text, strlen(text));
    (void)ignored;
    close(ready_fd);
    ready_fd = -1;
}

static _Noreturn void fail(const char *sentence)
{
    log_error("agent", "%s", sentence);
    say_ready(sentence);
    exit(1);
}

/* Nothing of the job that started us may be held: its pipes would never end. */
static void close_inherited(void)
{
    int keep = ready_fd;
    if (keep > 3) {
        int moved = fcntl(keep, F_DUPFD_CLOEXEC, 3);
        if (moved == 3)
            ready_fd = keep = 3;
    }
    if (keep >= 0)
        fcntl(keep, F_SETFD, FD_CLOEXEC);
    for (int fd = 3; keep > 3 && fd < keep; fd++)
        close(fd);
    unsigned first = keep >= 3 ? (unsigned)keep + 1 : 3;
    if (syscall(SYS_close_range, first, ~0u, 0) == 0)
        return;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned fd = first; fd < limit.rlim_cur && fd < 65536; fd++)
        close((int)fd);
}

/* The log of a daemon lies beside its blocks. */
static void redirect_log(const char *dir)
{
    char path[4096 + 16];
    snprintf(path, sizeof(path), "%s/agent.log", dir);
    logfile_start(path);
}

static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct rlimit size;
    if (getrlimit(RLIMIT_FSIZE, &size) == 0) {
        size.rlim_cur = size.rlim_max;
        setrlimit(RLIMIT_FSIZE, &size);
    }
}

/* The agent's memory holds the jobs' secrets. The limit is for dumps to files; those that the
 * kernel hands to a program take no notice of it, but are empty by the filter. */
static void forbid_core_dumps(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    CLEANUP_CLOSE int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        log_info("agent", "core dumps can't be emptied: %s", strerror(errno));
}

/* The buffers of each transfer (half a MiB and more) are to be used again, not returned to the
 * kernel and faulted in anew: that cost as much as copying the data. */
static void tune_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static int open_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    struct stat st;
    if (lstat(socket_path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        close(fd);
        return -EEXIST; /* somebody's file: not ours to remove */
    }
    unlink(socket_path); /* the store's lock says that nobody serves it any more */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static bool is_idle_for(int64_t now_ms)
{
    if (sessions_count() > 0) {
        idle_since_ms = now_ms;
        return false;
    }
    return now_ms - idle_since_ms >= (int64_t)option_number(OPT_IDLE_TIMEOUT) * 1000;
}

/* Ends when idle. A job that connects in this moment is either accepted here, and the agent stays,
 * or finds no socket and starts another: jobs start agents under the same lock. */
static void on_tick(void *user)
{
    (void)user;
    int64_t now = clock_monotonic_ms();
    sessions_tick();
    store_watch_disk(agent.store);
    if (store_is_removed(agent.store)) {
        log_warn("agent", "the cache's directory was removed: ending, the next read starts anew");
        loop_stop(agent.loop);
        return;
    }
    if (!is_idle_for(now))
        return;
    char lock_path[sizeof(socket_path) + 8];
    snprintf(lock_path, sizeof(lock_path), "%s.lock", socket_path);
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
        if (lock >= 0)
            close(lock);
        return;
    }
    log_info("agent", "idle: ending");
    loop_stop(agent.loop);
    /* `lock` stays held until the process is gone. */
}

static void on_signal(struct loop_watch *w, uint32_t events)
{
    struct signalfd_siginfo info;
    (void)events;
    if (read(w->fd, &info, sizeof(info)) > 0)
        loop_stop(agent.loop);
}

static void watch_signals(void)
{
    static struct loop_watch watch = {.ready = on_signal};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit is an error, not the end */
    watch.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (watch.fd >= 0)
        loop_add(agent.loop, &watch, EPOLLIN);
}

static void start_parts(const char *dir)
{
    char why[1024];
    agent.block_bytes = (uint32_t)option_number(OPT_BLOCK_SIZE);
    agent.piece_bytes = (uint32_t)option_number(OPT_READ_PIECE);
    agent.deadline_ms = (int64_t)option_number(OPT_DEADLINE) * 1000;
    agent.started_s = clock_wall_s();
    agent.loop = loop_new();
    if (!agent.loop)
        fail("the agent cannot start: no epoll");
    watch_signals(); /* before any thread: they inherit the mask */
    agent.store = store_open(dir, why, sizeof(why));
    if (!agent.store)
        fail(why);
    agent.engine = http_engine_new(thread_carriers());
    if (!agent.engine)
        fail("the agent cannot start: no threads for HTTP");
}

static void usage(void)
{
    puts("usage: warmpathd [--foreground] [--ready FD]\n\n"
         "Serves the blocks of one store to the jobs of one user. Jobs start it themselves;\n"
         "by hand it is only needed as a service. Options come from the environment:\n");
    for (int i = 0; i < OPT_COUNT; i++)
        printf("  %-22s %s (%s)\n", option_rows[i].variable, option_rows[i].help,
               option_rows[i].fallback[0] ? option_rows[i].fallback : "unset");
}

int main(int argc, char **argv)
{
    bool foreground = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--foreground") == 0) {
            foreground = true;
        } else if (strcmp(argv[i], "--ready") == 0 && i + 1 < argc) {
            ready_fd = atoi(argv[++i]);
        } else {
            usage();
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }
    char dir[4096];
    log_setup(option_text(OPT_LOG));
    umask(0077); /* the job's own may be anything */
    close_inherited();
    if (!option_cache_dir(dir, sizeof(dir)))
        fail("there is no place for the cache: set WARMPATH_CACHE_DIR to an absolute path");
    if (!option_socket_path(socket_path, sizeof(socket_path)))
        fail(
            "no usable path for the agent's socket: set WARMPATH_SOCKET to a path of less than 108 "
            "characters, in a directory of your own");
    raise_limits();
    forbid_core_dumps();
    tune_memory();
    start_parts(dir);
    if (!foreground)
        redirect_log(dir);
    if (chdir("/") < 0)
        log_warn("agent", "cannot leave the working directory: %s", strerror(errno));
    options_check(complain);

    int listen_fd = open_socket();
    if (listen_fd < 0) {
        char why[4200];
        snprintf(why, sizeof(why),
                 "the agent's socket %s can't be made (%s): set WARMPATH_SOCKET to a path in a "
                 "directory of your own",
                 socket_path, strerror(-listen_fd));
        fail(why);
    }
    agent.cluster = cluster_start(agent.store);
    sessions_start(&agent, listen_fd);
    idle_since_ms = clock_monotonic_ms();
    log_info("agent", "serving %s on %s", dir, socket_path);
    say_ready("ok\n");
    loop_run(agent.loop, TICK_MS, on_tick, NULL);
    unlink(socket_path);
    if (sessions_count() == 0)
        copies_remove();
    sessions_end();
    keyrings_stop(); /* who waits for credentials is told, and asks the engine for nothing */
    http_engine_free(agent.engine);
    cluster_stop(agent.cluster);
    store_close(agent.store);
    logfile_end();
    return 0;
}
