#include "agent/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/clock.h"

#define EVENTS_AT_ONCE 64
#define SPIN_NS        50000

struct loop {
    int epoll_fd;
    struct loop_watch wakeup;
    atomic_bool stopping;
    int64_t spin_until_ns;
    pthread_mutex_t lock; /* guards the queue */
    struct loop_task *first;
    struct loop_task **last;
};

static void drain_wakeup(struct loop_watch *w, uint32_t events)
{
    (void)events;
    uint64_t count;
    ssize_t ignored = read(w->fd, &count, sizeof(count));
    (void)ignored;
}

struct loop *loop_new(void)
{
    struct loop *l = must_calloc(1, sizeof(*l));
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wakeup.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->wakeup.ready = drain_wakeup;
    l->last = &l->first;
    pthread_mutex_init(&l->lock, NULL);
    if (l->epoll_fd < 0 || l->wakeup.fd < 0 || loop_add(l, &l->wakeup, EPOLLIN) < 0) {
        loop_free(l);
        return NULL;
    }
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    if (l->wakeup.fd >= 0)
        close(l->wakeup.fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int loop_add(struct loop *l, struct loop_watch *w, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = w};
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, struct loop_watch *w)
{
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
}

static void wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t ignored = write(l->wakeup.fd, &one, sizeof(one));
    (void)ignored;
}

void loop_post(struct loop *l, struct loop_task *t)
{
    t->next = NULL;
    pthread_mutex_lock(&l->lock);
    bool was_empty = !l->first;
    *l->last = t;
    l->last = &t->next;
    pthread_mutex_unlock(&l->lock);
    if (was_empty)
        wake(l);
}

static void run_posted(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct loop_task *t = l->first;
    l->first = NULL;
    l->last = &l->first;
    pthread_mutex_unlock(&l->lock);
    while (t) {
        struct loop_task *next = t->next;
        t->run(t);
        t = next;
    }
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    wake(l);
}

/* Where there was one request the next is near: looks for it a while before it sleeps (see
 * wire_receive_soon() for why). */
static int wait_for_events(struct loop *l, struct epoll_event *events, int64_t next_tick_ms)
{
    int n = 0;
    while (n == 0 && clock_monotonic_ns() < l->spin_until_ns) {
        n = epoll_wait(l->epoll_fd, events, EVENTS_AT_ONCE, 0);
        if (n == 0)
            sched_yield();
    }
    if (n == 0) {
        int64_t wait_ms = next_tick_ms - clock_monotonic_ms();
        n = epoll_wait(l->epoll_fd, events, EVENTS_AT_ONCE, wait_ms > 0 ? (int)wait_ms : 0);
    }
    if (n > 0)
        l->spin_until_ns = clock_monotonic_ns() + SPIN_NS;
    return n;
}

void loop_run(struct loop *l, int tick_ms, void (*tick)(void *user), void *user)
{
    int64_t next_tick = clock_monotonic_ms() + tick_ms;
    while (!atomic_load(&l->stopping)) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int n = wait_for_events(l, events, next_tick);
        for (int i = 0; i < n; i++) {
            struct loop_watch *w = events[i].data.ptr;
            w->ready(w, events[i].events);
        }
        run_posted(l);
        if (clock_monotonic_ms() >= next_tick) {
            tick(user);
            next_tick = clock_monotonic_ms() + tick_ms;
        }
    }
}
