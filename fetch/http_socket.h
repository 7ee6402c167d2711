/* The sockets of libcurl's connections. */
#ifndef WARMPATH_FETCH_HTTP_SOCKET_H
#define WARMPATH_FETCH_HTTP_SOCKET_H

#include <curl/curl.h>
#include <sys/socket.h>

/* For CURLOPT_OPENSOCKETFUNCTION. Not for programs that are started, as a credential_process is:
 * one that goes on for long would hold the connection, and the server never see its end. */
static inline curl_socket_t http_socket_open(void *user, curlsocktype purpose,
                                             struct curl_sockaddr *to)
{
    (void)user;
    (void)purpose;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

#endif
