/* What the connections of a worker's multi handle wait for: an epoll set, curl's timer, and a way
 * to be woken. curl is told which sockets have something (its multi_socket interface) instead of
 * having it ask each of them with a call of its own, every time that one of them has.
 *
 * But for http_events_wake(), of the worker's thread only. */
#ifndef WARMPATH_FETCH_HTTP_EVENTS_H
#define WARMPATH_FETCH_HTTP_EVENTS_H

#include <curl/curl.h>
#include <stdint.h>

struct http_events {
    CURLM *multi; /* the caller's */
    int epoll_fd, wake_fd;
    int64_t timer_ms; /* when curl wants to be called in any case; INT64_MAX: it doesn't */
};

/* Sets the multi handle's callbacks; *e stays where it is. 0, or -errno and nothing to close. */
int http_events_open(struct http_events *e, CURLM *multi);
/* After curl_multi_cleanup(), which takes sockets out. */
void http_events_close(struct http_events *e);

/* Has the worker return from http_events_work(), now or the next time. Any thread. */
void http_events_wake(struct http_events *e);

/* Waits for up to `wait_ms` and has curl do what there is to do. */
void http_events_work(struct http_events *e, int wait_ms);

#endif
