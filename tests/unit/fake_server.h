/* An HTTP server on loopback that follows a script to the letter, right or wrong: the n-th request
 * gets the n-th step, whatever it asks for; after the last step, the last one again. One thread; it
 * keeps the requests and counts the connections. For test_http.c and test_s3.c. */
#ifndef WARMPATH_TESTS_FAKE_SERVER_H
#define WARMPATH_TESTS_FAKE_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAKE_MAX_CONNECTIONS 256
#define FAKE_MAX_REQUESTS    64

enum fake_then {
    FAKE_KEEP,  /* wait for the next request */
    FAKE_CLOSE, /* end the connection */
    FAKE_STALL, /* say nothing more, but stay */
};

struct fake_step {
    const char *reply; /* NULL: nothing at all */
    enum fake_then then;
};

struct fake_server {
    const struct fake_step *steps;
    size_t n_steps;
    int port;
    char url[64]; /* http://127.0.0.1:PORT */
    int n_requests;
    int n_connections;
    char requests[FAKE_MAX_REQUESTS][4096];

    pthread_t thread;
    int listener;
    int stop[2];
    int fds[FAKE_MAX_CONNECTIONS];
    char pending[FAKE_MAX_CONNECTIONS][4096];
};

static inline void fake_answer(struct fake_server *s, int slot)
{
    size_t turn = (size_t)s->n_requests < s->n_steps ? (size_t)s->n_requests : s->n_steps - 1;
    const struct fake_step *step = &s->steps[turn];

    if (s->n_requests < FAKE_MAX_REQUESTS)
        memcpy(s->requests[s->n_requests], s->pending[slot], sizeof(s->requests[0]));
    s->n_requests++;
    s->pending[slot][0] = '\0';
    for (size_t at = 0, len = step->reply ? strlen(step->reply) : 0; at < len;) {
        ssize_t sent = send(s->fds[slot], step->reply + at, len - at, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    if (step->then == FAKE_CLOSE) {
        close(s->fds[slot]);
        s->fds[slot] = -1;
    }
}

static inline void fake_read(struct fake_server *s, int slot)
{
    size_t len = strlen(s->pending[slot]);
    ssize_t got = recv(s->fds[slot], s->pending[slot] + len, sizeof(s->pending[slot]) - 1 - len, 0);
    if (got <= 0) {
        close(s->fds[slot]);
        s->fds[slot] = -1;
        return;
    }
    s->pending[slot][len + (size_t)got] = '\0';
    if (strstr(s->pending[slot], "\r\n\r\n"))
        fake_answer(s, slot);
}

static inline void *fake_run(void *arg)
{
    struct fake_server *s = arg;
    for (;;) {
        struct pollfd polled[FAKE_MAX_CONNECTIONS + 2] = {{.fd = s->stop[0], .events = POLLIN},
                                                          {.fd = s->listener, .events = POLLIN}};
        for (int i = 0; i < FAKE_MAX_CONNECTIONS; i++)
            polled[i + 2] = (struct pollfd){.fd = s->fds[i], .events = POLLIN};
        if (poll(polled, FAKE_MAX_CONNECTIONS + 2, -1) < 0 || polled[0].revents)
            return NULL;
        for (int i = 0; i < FAKE_MAX_CONNECTIONS; i++)
            if (s->fds[i] >= 0 && polled[i + 2].revents)
                fake_read(s, i);
        for (int i = 0; polled[1].revents && i < FAKE_MAX_CONNECTIONS; i++) {
            if (s->fds[i] >= 0)
                continue;
            s->fds[i] = accept(s->listener, NULL, NULL);
            s->pending[i][0] = '\0';
            s->n_connections++;
            break;
        }
    }
}

static inline struct fake_server *fake_start(const struct fake_step *steps, size_t n_steps)
{
    struct fake_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    s->steps = steps;
    s->n_steps = n_steps;
    for (int i = 0; i < FAKE_MAX_CONNECTIONS; i++)
        s->fds[i] = -1;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(s->listener, 128) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) != 0 || pipe(s->stop) != 0 ||
        pthread_create(&s->thread, NULL, fake_run, s) != 0)
        abort();
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
    return s;
}

/* Ends the server's thread: what it has counted may be looked at from here on. */
static inline void fake_stop(struct fake_server *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
}

static inline void fake_free(struct fake_server *s)
{
    for (int i = 0; i < FAKE_MAX_CONNECTIONS; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    close(s->stop[0]);
    close(s->listener);
    free(s);
}

/* A loopback port where nobody listens: bound for as long as the process lives, never listening. */
static inline int fake_dead_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    static int fd = -1;
    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(fd, (struct sockaddr *)&address, sizeof(address));
    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

#define FAKE_START(steps) fake_start((steps), sizeof(steps) / sizeof((steps)[0]))

#endif
