#include "common/wire.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"

void wire_put(struct wire_buf *b, const void *data, size_t len)
{
    if (b->bad || (size_t)(b->end - b->at) < len) {
        b->bad = true;
        return;
    }
    memcpy(b->at, data, len);
    b->at += len;
}

void wire_put_u8(struct wire_buf *b, uint8_t v)
{
    wire_put(b, &v, sizeof(v));
}

void wire_put_u16(struct wire_buf *b, uint16_t v)
{
    wire_put(b, &v, sizeof(v));
}

void wire_put_u32(struct wire_buf *b, uint32_t v)
{
    wire_put(b, &v, sizeof(v));
}

void wire_put_u64(struct wire_buf *b, uint64_t v)
{
    wire_put(b, &v, sizeof(v));
}

void wire_put_str(struct wire_buf *b, const char *text, size_t len)
{
    if (len > UINT16_MAX) {
        b->bad = true;
        return;
    }
    wire_put_u16(b, (uint16_t)len);
    wire_put(b, text, len);
}

static void get(struct wire_buf *b, void *out, size_t len)
{
    if (b->bad || (size_t)(b->end - b->at) < len) {
        b->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, b->at, len);
    b->at += len;
}

uint8_t wire_get_u8(struct wire_buf *b)
{
    uint8_t v;
    get(b, &v, sizeof(v));
    return v;
}

uint16_t wire_get_u16(struct wire_buf *b)
{
    uint16_t v;
    get(b, &v, sizeof(v));
    return v;
}

uint32_t wire_get_u32(struct wire_buf *b)
{
    uint32_t v;
    get(b, &v, sizeof(v));
    return v;
}

uint64_t wire_get_u64(struct wire_buf *b)
{
    uint64_t v;
    get(b, &v, sizeof(v));
    return v;
}

struct wire_str wire_get_str(struct wire_buf *b)
{
    size_t len = wire_get_u16(b);
    if (b->bad || (size_t)(b->end - b->at) < len) {
        b->bad = true;
        return (struct wire_str){"", 0};
    }
    struct wire_str s = {(const char *)b->at, len};
    b->at += len;
    return s;
}

size_t wire_get_text(struct wire_buf *b, char *out, size_t size)
{
    struct wire_str s = wire_get_str(b);
    if (s.len >= size || memchr(s.at, '\0', s.len)) {
        b->bad = true;
        s.len = 0;
    }
    memcpy(out, s.at, s.len);
    out[s.len] = '\0';
    return s.len;
}

void wire_put_name(struct wire_buf *b, const struct wire_name *n)
{
    wire_put_str(b, n->bucket.at, n->bucket.len);
    wire_put_str(b, n->key.at, n->key.len);
    wire_put_u8(b, n->style);
    wire_put_str(b, n->access.at, n->access.len);
}

struct wire_name wire_get_name(struct wire_buf *b)
{
    struct wire_name n;
    n.bucket = wire_get_str(b);
    n.key = wire_get_str(b);
    n.style = wire_get_u8(b);
    n.access = wire_get_str(b);
    return n;
}

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
};

/* By number, here and below: sendmsg() and recvmsg() are hooks of the library, which would take
 * what passes for the job's. */
static int send_message(int sock, const void *data, size_t len, const int *fds, int n_fds,
                        int flags)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    union control control;
    if (n_fds > WIRE_MAX_FDS)
        return -EINVAL;
    if (n_fds > 0) {
        size_t fds_len = sizeof(int) * (size_t)n_fds;
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fds_len);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(fds_len);
        memcpy(CMSG_DATA(&control.head), fds, fds_len);
    }
    ssize_t sent;
    do
        sent = syscall(SYS_sendmsg, sock, &message, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == len ? 0 : -EMSGSIZE;
}

int wire_send(int sock, const void *data, size_t len, const int *fds, int n_fds)
{
    return send_message(sock, data, len, fds, n_fds, 0);
}

int wire_send_now(int sock, const void *data, size_t len)
{
    return send_message(sock, data, len, NULL, 0, MSG_DONTWAIT);
}

/* By number: a received descriptor must not go through the library's own close hook. */
static void close_raw(int fd)
{
    syscall(SYS_close, fd);
}

static void take_descriptors(struct msghdr *message, int *fds, int room, int *n_fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + sizeof(int) * (size_t)i, sizeof(fd));
            if (*n_fds < room)
                fds[(*n_fds)++] = fd;
            else
                close_raw(fd);
        }
    }
}

static ssize_t receive(int sock, void *data, size_t size, int *fds, int *n_fds, int flags)
{
    struct iovec piece = {.iov_base = data, .iov_len = size};
    union control control;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int room = n_fds ? *n_fds : 0;
    int count = 0;
    ssize_t got;
    do
        got = syscall(SYS_recvmsg, sock, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    take_descriptors(&message, fds, room, &count);
    if (n_fds)
        *n_fds = count;
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        while (count > 0)
            close_raw(fds[--count]);
        if (n_fds)
            *n_fds = 0;
        /* Descriptors are cut off when the process may have no more. */
        return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
    }
    return got;
}

ssize_t wire_receive(int sock, void *data, size_t size, int *fds, int *n_fds)
{
    return receive(sock, data, size, fds, n_fds, 0);
}

ssize_t wire_receive_soon(int sock, void *data, size_t size, int *fds, int *n_fds)
{
    int room = n_fds ? *n_fds : 0;
    int64_t until = clock_monotonic_ns() + WIRE_SPIN_NS;
    do {
        if (n_fds)
            *n_fds = room;
        ssize_t got = receive(sock, data, size, fds, n_fds, MSG_DONTWAIT);
        if (got != -EAGAIN)
            return got;
        sched_yield(); /* to the agent, should it wait for this processor */
    } while (clock_monotonic_ns() < until);
    if (n_fds)
        *n_fds = room;
    return receive(sock, data, size, fds, n_fds, 0);
}
