#include "fetch/http_events.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"

#define EVENTS_AT_ONCE 64

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct http_events *e = user;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;

    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    if (epoll_ctl(e->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0 &&
        epoll_ctl(e->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0)
        return -1; /* curl fails all that it has */
    if (!known)
        curl_multi_assign(e->multi, fd, e);
    return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *user)
{
    struct http_events *e = user;
    (void)multi;
    e->timer_ms = wait_ms < 0 ? INT64_MAX : clock_monotonic_ms() + wait_ms;
    return 0;
}

int http_events_open(struct http_events *e, CURLM *multi)
{
    *e = (struct http_events){.multi = multi, .timer_ms = INT64_MAX};
    e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->epoll_fd < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLIN};
    e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = e->wake_fd;
    if (e->wake_fd < 0 || epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &event) != 0) {
        int error = -errno;
        http_events_close(e);
        return error;
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, e);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, e);
    return 0;
}

void http_events_close(struct http_events *e)
{
    close(e->epoll_fd);
    if (e->wake_fd >= 0)
        close(e->wake_fd);
}

void http_events_wake(struct http_events *e)
{
    eventfd_write(e->wake_fd, 1);
}

static void tell(struct http_events *e, const struct epoll_event *event)
{
    int what = 0, running;
    if (event->data.fd == e->wake_fd) {
        eventfd_t n;
        eventfd_read(e->wake_fd, &n);
        return;
    }
    if (event->events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(e->multi, event->data.fd, what, &running);
}

void http_events_work(struct http_events *e, int wait_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t left_ms = e->timer_ms == INT64_MAX ? INT64_MAX : e->timer_ms - clock_monotonic_ms();
    if (left_ms <= 0) {
        int running;
        e->timer_ms = INT64_MAX;
        curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        left_ms = 0; /* something may have ended */
    }
    int n =
        epoll_wait(e->epoll_fd, events, EVENTS_AT_ONCE, left_ms < wait_ms ? (int)left_ms : wait_ms);
    for (int i = 0; i < n; i++)
        tell(e, &events[i]);
}
