/* Descriptors that are passed through sockets (SCM_RIGHTS). What arrives is a placeholder; its name
 * tells the receiver what it stands for, and both go on with one offset, the kernel's. The pieces
 * of a message may lie in a lazy map: they come before the kernel looks at them. */
#include <string.h>

#include "preload/hook.h"
#include "preload/inherit.h"
#include "preload/lazy.h"

/* Calls `visit` for each descriptor in the control data. */
static void each_descriptor(const struct msghdr *message, void (*visit)(int fd))
{
    struct msghdr *m = (struct msghdr *)(uintptr_t)message;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            visit(fd);
        }
    }
}

static void bring(const struct msghdr *message)
{
    if (message)
        lazy_need_pieces(message->msg_iov, message->msg_iovlen);
}

static void bring_all(struct mmsghdr *messages, unsigned n)
{
    for (unsigned i = 0; messages && i < n && lazy_any(); i++)
        bring(&messages[i].msg_hdr);
}

static bool has_control(const struct msghdr *message)
{
    return message && message->msg_control && message->msg_controllen >= CMSG_LEN(sizeof(int));
}

/* --- sending ----------------------------------------------------------------------------- */

/* In a vfork child the table is its parent's: only what is still a placeholder is touched. */
static void prepare(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    if (f)
        inherit_prepare(f, fd);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (fdtab_in_use() && has_control(message))
        each_descriptor(message, prepare);
    bring(message);
    return REAL(sendmsg)(fd, message, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    if (fdtab_in_use())
        for (unsigned i = 0; messages && i < n; i++)
            if (has_control(&messages[i].msg_hdr))
                each_descriptor(&messages[i].msg_hdr, prepare);
    bring_all(messages, n);
    return REAL(sendmmsg)(fd, messages, n, flags);
}

/* --- receiving --------------------------------------------------------------------------- */

static void take_over(int fd)
{
    if (state_in_vfork_child())
        return;
    hook_new_fd(fd);
    inherit_descriptor(fd);
}

static void received(const struct msghdr *message)
{
    int saved_errno = errno;
    if (state.active && has_control(message))
        each_descriptor(message, take_over);
    errno = saved_errno;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    bring(message);
    ssize_t n = REAL(recvmsg)(fd, message, flags);
    if (n >= 0)
        received(message);
    return n;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags,
                    struct timespec *timeout)
{
    bring_all(messages, n);
    int count = REAL(recvmmsg)(fd, messages, n, flags, timeout);
    for (int i = 0; i < count; i++)
        received(&messages[i].msg_hdr);
    return count;
}
