#include "preload/client.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/options.h"
#include "preload/fault.h"
#include "preload/memory.h"
#include "preload/ownfd.h"
#include "preload/report.h"
#include "preload/spawn.h"
#include "preload/state.h"

#define ATTEMPTS        4
#define ENV_TEXT_BYTES  24576
#define ENV_VARS_MAX    64
#define HELLO_TIMEOUT_S 10
#define HINT_TIMEOUT_S  1
#define ANSWER_MARGIN_S 20 /* beyond the deadline, for the agent to say so */
#define RETRY_AFTER_S   5  /* a start that failed is not tried again for that long */

extern char **environ;

/* As the job was started: what it does to its environment later is not for the agent. */
static struct {
    char *text; /* ENV_TEXT_BYTES: secrets, on pages that no core dump holds */
    const char *vars[ENV_VARS_MAX];
    uint16_t n;
    char job[64];
    char socket[256]; /* "": there is none that can be used */
    uint64_t deadline_s;
} hello;

static struct {
    _Atomic int64_t failed_s; /* monotonic; 0: never */
    int error;
    char why[512];
} start_failure;

static bool is_for_agent(const char *var)
{
    return strncmp(var, "AWS_", 4) == 0 || strncmp(var, "HOME=", 5) == 0 ||
           strncmp(var, "PWD=", 4) == 0;
}

void client_init(void)
{
    size_t used = 0;
    hello.text = memory_map(ENV_TEXT_BYTES);
    if (hello.text)
        syscall(SYS_madvise, hello.text, ENV_TEXT_BYTES, MADV_DONTDUMP);
    for (char **var = environ; hello.text && var && *var && hello.n < ENV_VARS_MAX; var++) {
        size_t len = strlen(*var) + 1;
        if (!is_for_agent(*var) || used + len > ENV_TEXT_BYTES)
            continue;
        memcpy(hello.text + used, *var, len);
        hello.vars[hello.n++] = hello.text + used;
        used += len;
    }
    if (!option_socket_path(hello.socket, sizeof(hello.socket)))
        hello.socket[0] = '\0';
    hello.deadline_s = option_number(OPT_DEADLINE);
    snprintf(hello.job, sizeof(hello.job), "%s", report_job());
}

const char *client_job(void)
{
    return hello.job;
}

/* A vfork child has its parent's memory but descriptors of its own: what it opens may not be left
 * in the parent's tables, so it uses a connection once. ownfd.c knows the same. */

/* --- connections -------------------------------------------------------------------- */

static int take_idle(void)
{
    if (state_in_vfork_child())
        return -1;
    for (int i = 0; i < CONNECTIONS_IDLE; i++) {
        if (!atomic_load_explicit(&state.child->idle[i], memory_order_relaxed))
            continue;
        int fd = atomic_exchange(&state.child->idle[i], 0);
        if (fd)
            return fd - 1;
    }
    return -1;
}

static void give_idle(int fd)
{
    for (int i = 0; i < CONNECTIONS_IDLE && !state_in_vfork_child(); i++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&state.child->idle[i], &none, fd + 1))
            return;
    }
    ownfd_close(fd);
}

static int64_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* The agent answers within its own deadline; should it hang, the job must not. */
static void limit_waiting(int fd, uint64_t seconds)
{
    struct timeval limit = {.tv_sec = (time_t)seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int connect_socket(const char *path, uint64_t patience_s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    fd = ownfd_take(fd);
    limit_waiting(fd, patience_s); /* connect() too waits while the agent's queue is full */
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        ownfd_close(fd);
        return -error;
    }
    return fd;
}

static void adopt_counters(const int *fds, int n_fds)
{
    if (n_fds < 1)
        return;
    void *page = memory_map_fd(COUNTERS_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    syscall(SYS_close, fds[0]);
    if (page)
        atomic_store(&state.child->counters, page);
}

/* Not left on the stack: what the job dumps when it crashes goes to who knows whom. */
static void wipe(void *secret, size_t len)
{
    memset(secret, 0, len);
    __asm__ volatile("" : : "r"(secret) : "memory");
}

static int say_hello(int fd)
{
    uint8_t body[ENV_TEXT_BYTES + 512], reply[256];
    struct wire_buf b = wire_buf(body, sizeof(body));
    int fds[1], n_fds = 1;
    bool want_page = !state_in_vfork_child() && !atomic_exchange(&state.child->counters_asked, 1);
    wire_put_u8(&b, WIRE_HELLO);
    wire_put_u32(&b, WIRE_VERSION);
    wire_put_u32(&b, (uint32_t)getpid());
    wire_put_u32(&b, want_page ? WIRE_HELLO_WANT_COUNTERS : 0);
    wire_put_u64(&b, (uint64_t)state.meta_ttl_s);
    wire_put_str(&b, hello.job, strlen(hello.job));
    wire_put_u16(&b, hello.n);
    for (uint16_t i = 0; i < hello.n; i++)
        wire_put_str(&b, hello.vars[i], strlen(hello.vars[i]));
    int r = b.bad ? -E2BIG : wire_send(fd, body, (size_t)(b.at - body), NULL, 0);
    wipe(body, sizeof(body));
    ssize_t n = r < 0 ? r : wire_receive(fd, reply, sizeof(reply), fds, &n_fds);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    adopt_counters(fds, n_fds);
    struct wire_buf in = wire_buf(reply, (size_t)n);
    uint32_t block_bytes = wire_get_u32(&in);
    if (in.bad || block_bytes < 4096 || (block_bytes & (block_bytes - 1)))
        return -EPROTO;
    state.block_bytes = block_bytes;
    limit_waiting(fd, hello.deadline_s + ANSWER_MARGIN_S);
    return 0;
}

static int start_agent(const char *path)
{
    int64_t failed = atomic_load(&start_failure.failed_s);
    if (failed && now_s() - failed < RETRY_AFTER_S)
        return start_failure.error;
    char why[sizeof(start_failure.why)];
    int r = spawn_agent(path, why, sizeof(why));
    if (r < 0) {
        memcpy(start_failure.why, why, sizeof(why));
        start_failure.error = r;
        atomic_store(&start_failure.failed_s, now_s());
    }
    return r;
}

static int connect_agent(bool may_start, uint64_t patience_s)
{
    const char *path = hello.socket;
    if (!*path) {
        snprintf(
            start_failure.why, sizeof(start_failure.why),
            "no usable path for the agent's socket: set WARMPATH_SOCKET to a path of less than "
            "108 characters, in a directory of your own");
        return -ENAMETOOLONG;
    }
    int fd = connect_socket(path, patience_s);
    if (may_start && (fd == -ENOENT || fd == -ECONNREFUSED)) {
        int r = start_agent(path);
        if (r < 0)
            return r;
        fd = connect_socket(path, patience_s);
    }
    if (fd < 0) {
        snprintf(start_failure.why, sizeof(start_failure.why),
                 "the agent can't be reached at %s: %s", path, strerror(-fd));
        return fd;
    }
    int r = say_hello(fd);
    if (r == 0)
        return fd;
    snprintf(start_failure.why, sizeof(start_failure.why),
             "what listens at %s does not answer as an agent does (%s): is it another version, or "
             "stopped? 'warmpath stop' ends it; WARMPATH_SOCKET names another socket",
             path, r == -EAGAIN ? "silence" : strerror(-r));
    ownfd_close(fd);
    return r;
}

int client_greet(bool may_start)
{
    if (state.block_bytes)
        return 0;
    int fd = connect_agent(may_start, HELLO_TIMEOUT_S);
    if (fd < 0)
        return fd;
    give_idle(fd);
    return 0;
}

/* --- calls -------------------------------------------------------------------------- */

void client_begin(struct client_call *c, enum wire_op op)
{
    c->out = wire_buf(c->request, sizeof(c->request));
    c->n_fds = 0;
    wire_put_u8(&c->out, op);
}

void client_put_name(struct client_call *c, const struct mapping *m, const char *key,
                     size_t key_len)
{
    struct wire_name name = {.bucket = {m->bucket, m->bucket_len},
                             .key = {key, key_len},
                             .style = (uint8_t)m->style,
                             .access = {m->access, m->access_len}};
    wire_put_name(&c->out, &name);
}

static bool agent_is_gone(ssize_t r)
{
    return r == 0 || r == -EPIPE || r == -ECONNRESET || r == -ECONNREFUSED || r == -ENOENT ||
           r == -ENOTCONN || r == -EBADF || r == -ENOTSOCK;
}

/* One exchange on one connection. Length of the reply, or -errno. */
static ssize_t exchange(struct client_call *c, int fd, void *room, size_t room_bytes)
{
    int r = wire_send(fd, c->request, (size_t)(c->out.at - c->request), NULL, 0);
    if (r < 0)
        return r;
    c->n_fds = WIRE_MAX_FDS;
    ssize_t n = wire_receive_soon(fd, room, room_bytes, c->fds, &c->n_fds);
    if (n <= 0)
        c->n_fds = 0;
    return n == 0 ? -ECONNRESET : n;
}

static int call(struct client_call *c, void *room, size_t room_bytes, size_t *len)
{
    if (c->out.bad)
        return -ENAMETOOLONG;
    ssize_t n = -ECONNREFUSED;
    for (int attempt = 0; attempt < ATTEMPTS;) {
        int fd = take_idle();
        /* Idle connections may all be dead: only new ones count as attempts. */
        if (fd < 0) {
            attempt++;
            fd = connect_agent(true, HELLO_TIMEOUT_S);
        }
        if (fd < 0) {
            n = fd;
            if (!agent_is_gone(n))
                return (int)n;
            continue;
        }
        n = exchange(c, fd, room, room_bytes);
        if (n >= 0) {
            give_idle(fd);
            *len = (size_t)n;
            return 0;
        }
        ownfd_close(fd);
        /* Every request can be repeated, and the next agent can answer it. */
        if (!agent_is_gone(n))
            break;
        snprintf(start_failure.why, sizeof(start_failure.why),
                 "the agent ended again and again; its log is agent.log in the cache directory");
    }
    if (n == -EAGAIN)
        snprintf(start_failure.why, sizeof(start_failure.why),
                 "the agent does not answer; is it stopped? 'warmpath status' asks it too");
    return (int)n;
}

void client_tell(struct client_call *c)
{
    int saved_errno = errno, r = c->out.bad || state_in_vfork_child() ? 0 : -EPIPE;
    while (r < 0 && r != -EAGAIN) {
        int fd = take_idle();
        bool is_new = fd < 0; /* all idle ones were dead */
        if (is_new)
            fd = connect_agent(false, HINT_TIMEOUT_S);
        if (fd < 0)
            break;
        r = wire_send_now(fd, c->request, (size_t)(c->out.at - c->request));
        if (r == 0 || r == -EAGAIN)
            give_idle(fd);
        else
            ownfd_close(fd);
        if (is_new)
            break;
    }
    errno = saved_errno;
}

int client_call_raw(struct client_call *c, void *room, size_t room_bytes, size_t *len)
{
    int saved_errno =
        errno; /* a call that succeeds leaves it alone: readdir()'s end is told by that */
    int r = call(c, room, room_bytes, len);
    errno = saved_errno;
    return r;
}

int client_call(struct client_call *c, const char *path, void *room, size_t room_bytes)
{
    size_t len = 0;
    if (!room) {
        room = c->reply;
        room_bytes = sizeof(c->reply);
    }
    int r = client_call_raw(c, room, room_bytes, &len);
    if (r == -EMFILE || r == -ENFILE)
        return r; /* the job's own limit, and its errno says so */
    if (r < 0) {
        fault_tell(path, EIO, start_failure.why, strlen(start_failure.why));
        return -EIO;
    }
    c->in = wire_buf(room, len);
    int status = (int)wire_get_u32(&c->in);
    struct wire_str why = wire_get_str(&c->in);
    if (c->in.bad)
        status = -EIO;
    if (status < 0) {
        while (c->n_fds > 0)
            syscall(SYS_close, c->fds[--c->n_fds]);
        if (why.len > 0)
            fault_tell(path, -status, why.at, why.len);
    }
    /* The log says that time ran out; to the job a read that fails is EIO. */
    return status == -ETIMEDOUT ? -EIO : status;
}
