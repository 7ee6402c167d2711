/* The agent's event loop: one thread, epoll, and a queue by which other threads hand work in.
 *
 * All callbacks run on the thread that calls loop_run(). Only loop_post() and loop_stop()
 * may be called from elsewhere. */
#ifndef WARMPATH_AGENT_LOOP_H
#define WARMPATH_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Embedded in what is watched; must stay where it is while watched. */
struct loop_watch {
    int fd;
    void (*ready)(struct loop_watch *w, uint32_t epoll_events);
};

/* Embedded in what is posted; `run` owns it. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop_task *t);
};

/* NULL with errno. */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/* 0 or -errno. */
int loop_add(struct loop *l, struct loop_watch *w, uint32_t epoll_events);
void loop_remove(struct loop *l, struct loop_watch *w);

/* Runs the task on the loop's thread, soon. Any thread. */
void loop_post(struct loop *l, struct loop_task *t);

/* Runs until loop_stop(). `tick` is called about every `tick_ms`. */
void loop_run(struct loop *l, int tick_ms, void (*tick)(void *user), void *user);
void loop_stop(struct loop *l);

#endif
