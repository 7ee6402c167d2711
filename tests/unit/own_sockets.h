/* The sockets of this process that are connected to a port of this machine. */
#ifndef WARMPATH_TESTS_OWN_SOCKETS_H
#define WARMPATH_TESTS_OWN_SOCKETS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* How many there are, or of these, that a program would get which this one starts. */
static inline int own_sockets(int port, bool inherited)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in to;
        socklen_t len = sizeof(to);
        if (getpeername(fd, (struct sockaddr *)&to, &len) == 0 && to.sin_family == AF_INET &&
            ntohs(to.sin_port) == port)
            n += !inherited || !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    return n;
}

#endif
