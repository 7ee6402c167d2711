#include "preload/doors.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/placeholder_name.h"
#include "preload/real.h"
#include "preload/state.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* The calls that want data of a descriptor, and which argument that is. mmap comes last: only it
 * has calls without a descriptor. */
static const struct door {
    unsigned nr;
    int fd_argument;
    const char *name;
} doors[] = {
    {SYS_read, 0, "read"},         {SYS_pread64, 0, "pread64"},
    {SYS_readv, 0, "readv"},       {SYS_preadv, 0, "preadv"},
    {SYS_preadv2, 0, "preadv2"},   {SYS_getdents64, 0, "getdents64"},
    {SYS_sendfile, 1, "sendfile"}, {SYS_copy_file_range, 0, "copy_file_range"},
    {SYS_splice, 0, "splice"},     {SYS_mmap, 4, "mmap"},
};
#define DOORS (sizeof(doors) / sizeof(doors[0]))

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##what)

static size_t make_filter(struct sock_filter *out)
{
    size_t n = 0;
    out[n++] = (struct sock_filter)LOAD(arch);
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    out[n++] = (struct sock_filter)RETURN(ALLOW);
    out[n++] = (struct sock_filter)LOAD(nr);
    for (size_t i = 0; i < DOORS; i++) {
        bool mmap = doors[i].nr == SYS_mmap;
        out[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, doors[i].nr, 0, mmap ? 3 : 1);
        if (mmap) {
            out[n++] = (struct sock_filter)LOAD(args[3]);
            out[n++] =
                (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0);
        }
        out[n++] = (struct sock_filter)RETURN(USER_NOTIF);
    }
    out[n++] = (struct sock_filter)RETURN(ALLOW);
    return n;
}

/* The descriptor at which the kernel announces, or -errno. */
static int install_filter(void)
{
    struct sock_filter code[6 + 4 * DOORS];
    struct sock_fprog program = {.filter = code};
    program.len = (unsigned short)make_filter(code);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return fd < 0 ? -errno : (int)fd;
}

/* --- the watcher: another process, which nothing of the job waits for ------------------- */

static size_t read_link(const char *path, char *out, size_t size)
{
    long n = syscall(SYS_readlinkat, AT_FDCWD, path, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* What the descriptor stands for in the job's eyes, or NULL when it isn't one of ours. */
static const char *ours(const char *link)
{
    static const char cwd[] = "/cwd";
    if (strncmp(link, PLACEHOLDER_LINK, strlen(PLACEHOLDER_LINK)) == 0) {
        const char *name = link + strlen(PLACEHOLDER_LINK);
        for (int colons = 0; colons < 4 && name; colons++)
            name = strchr(name, ':') ? strchr(name, ':') + 1 : NULL;
        return name ? name : link;
    }
    if (state.runtime_dir_len && strncmp(link, state.runtime_dir, state.runtime_dir_len) == 0 &&
        strncmp(link + state.runtime_dir_len, cwd, sizeof(cwd) - 1) == 0)
        return link + state.runtime_dir_len + sizeof(cwd) - 1;
    return NULL;
}

static void judge(const struct seccomp_notif *call)
{
    char path[64], link[4096], program[4096];
    for (size_t i = 0; i < DOORS; i++) {
        if (doors[i].nr != (unsigned)call->data.nr)
            continue;
        int fd = (int)call->data.args[doors[i].fd_argument];
        snprintf(path, sizeof(path), "/proc/%u/fd/%d", call->pid, fd);
        const char *name = read_link(path, link, sizeof(link)) ? ours(link) : NULL;
        if (!name)
            return;
        snprintf(path, sizeof(path), "/proc/%u/exe", call->pid);
        read_link(path, program, sizeof(program));
        log_debug("doors", "%s (%u) went past the library: %s(%d) on %s", program, call->pid,
                  doors[i].name, fd, name);
        return;
    }
}

static void watch(int listener)
{
    union {
        struct seccomp_notif call;
        char room[512]; /* a newer kernel's may be larger */
    } in;
    union {
        struct seccomp_notif_resp answer;
        char room[512];
    } out;
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    for (;;) {
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            return;
        if (!(wait.revents & POLLIN)) {
            if (wait.revents)
                return; /* nobody is left under the filter */
            continue;
        }
        memset(&in, 0, sizeof(in));
        if (REAL(ioctl)(listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
            continue; /* the caller was killed meanwhile */
        judge(&in.call);
        memset(&out, 0, sizeof(out));
        out.answer.id = in.call.id;
        out.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        REAL(ioctl)(listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
    }
}

static int receive(int channel)
{
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec piece = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = -1;
    if (recvmsg(channel, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

static bool hand_over(int channel, int fd)
{
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(channel, &message, MSG_NOSIGNAL) == 1;
}

static void be_watcher(int channel)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    /* Holds standard error and nothing else of the job's. */
    syscall(SYS_dup3, channel, 0, 0);
    syscall(SYS_close, 1);
    syscall(SYS_close_range, 3, ~0u, 0);
    int listener = receive(0);
    if (listener >= 0)
        watch(listener);
    syscall(SYS_exit_group, 0);
}

/* Twice, and without a signal at the end: the job never has a child that it didn't make. */
static bool start_watcher(int channel)
{
    long first = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (first == 0) {
        if (syscall(SYS_clone, 0, 0, 0, 0, 0) == 0)
            be_watcher(channel);
        syscall(SYS_exit_group, 0);
    }
    while (first > 0 && waitpid((pid_t)first, NULL, __WCLONE) < 0 && errno == EINTR)
        ;
    return first > 0;
}

void doors_watch(void)
{
    int channel[2];
    if (!state.active || !log_names(LOG_DEBUG, "doors"))
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0)
        return;
    /* Before the filter is there: the watcher must not wait for itself. */
    int listener = start_watcher(channel[1]) ? install_filter() : -errno;
    if (listener >= 0) {
        if (!hand_over(channel[0], listener))
            log_warn("doors", "the watcher of missed calls could not be started");
        syscall(SYS_close, listener);
    } else if (listener != -EBUSY) { /* busy: the process that made this one is watched already */
        log_warn("doors", "missed calls can't be watched for here: %s", strerror(-listener));
    }
    syscall(SYS_close, channel[0]);
    syscall(SYS_close, channel[1]);
}
