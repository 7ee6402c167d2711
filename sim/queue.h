/* Simulated time: events in the order in which they happen; those of one moment in the order in
 * which they were made, so that a seed gives the same run everywhere. */
#ifndef WARMPATH_SIM_QUEUE_H
#define WARMPATH_SIM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

typedef void event_fn(void *user, int64_t number);

struct event {
    int64_t at_us;
    uint64_t serial;
    event_fn *run;
    void *user;
    int64_t number;
};

struct queue {
    int64_t now_us;
    uint64_t serial;
    struct event *heap;
    size_t n, room;
};

/* Runs `run(user, number)` at that time, which isn't past. */
void queue_at(struct queue *q, int64_t at_us, event_fn *run, void *user, int64_t number);

/* Runs the next event. Its time, or -1 when there is none. */
int64_t queue_step(struct queue *q);

void queue_free(struct queue *q);

#endif
