#include "tool/agent_call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/options.h"

#define ANSWER_TIMEOUT_S 20

static int connect_agent(char *path, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!option_socket_path(path, size)) {
        fprintf(stderr, "warmpath: no usable socket path: set WARMPATH_SOCKET or HOME\n");
        return -EINVAL;
    }
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return errno == ECONNREFUSED ? -ENOENT : -errno;
    struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return take_fd(fd);
}

static ssize_t exchange(int fd, const struct wire_buf *b, const uint8_t *start, void *reply,
                        size_t size)
{
    int r = wire_send(fd, start, (size_t)(b->at - start), NULL, 0);
    ssize_t n = r < 0 ? r : wire_receive(fd, reply, size, NULL, NULL);
    return n == 0 ? -ECONNRESET : n;
}

static ssize_t say_hello(int fd)
{
    uint8_t body[64], reply[256];
    struct wire_buf b = wire_buf(body, sizeof(body));
    wire_put_u8(&b, WIRE_HELLO);
    wire_put_u32(&b, WIRE_VERSION);
    wire_put_u32(&b, (uint32_t)getpid());
    wire_put_u32(&b, WIRE_HELLO_TOOL);
    wire_put_u64(&b, 0);
    wire_put_str(&b, "", 0);
    wire_put_u16(&b, 0);
    return exchange(fd, &b, body, reply, sizeof(reply));
}

ssize_t agent_call(enum wire_op op, void *reply, size_t size)
{
    char path[256];
    CLEANUP_CLOSE int fd = connect_agent(path, sizeof(path));
    if (fd == -ENOENT)
        return -ENOENT;
    ssize_t n = fd < 0 ? fd : say_hello(fd);
    if (n >= 0) {
        uint8_t body[1];
        struct wire_buf b = wire_buf(body, sizeof(body));
        wire_put_u8(&b, (uint8_t)op);
        n = exchange(fd, &b, body, reply, size);
    }
    if (n < 0)
        fprintf(stderr, "warmpath: the agent at %s does not answer: %s\n", path, strerror((int)-n));
    return n;
}
