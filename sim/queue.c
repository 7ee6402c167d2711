#include "sim/queue.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->serial < b->serial;
}

void queue_at(struct queue *q, int64_t at_us, event_fn *run, void *user, int64_t number)
{
    if (q->n == q->room) {
        q->room = q->room ? q->room * 2 : 1024;
        q->heap = reallocarray(q->heap, q->room, sizeof(*q->heap));
        if (!q->heap)
            abort();
    }
    struct event e = {at_us > q->now_us ? at_us : q->now_us, q->serial++, run, user, number};
    size_t i = q->n++;
    for (size_t up; i > 0 && is_before(&e, &q->heap[up = (i - 1) / 2]); i = up)
        q->heap[i] = q->heap[up];
    q->heap[i] = e;
}

static void take_first(struct queue *q)
{
    struct event last = q->heap[--q->n];
    size_t i = 0;
    for (size_t down; (down = 2 * i + 1) < q->n; i = down) {
        if (down + 1 < q->n && is_before(&q->heap[down + 1], &q->heap[down]))
            down++;
        if (!is_before(&q->heap[down], &last))
            break;
        q->heap[i] = q->heap[down];
    }
    q->heap[i] = last;
}

int64_t queue_step(struct queue *q)
{
    if (q->n == 0)
        return -1;
    struct event e = q->heap[0];
    take_first(q);
    q->now_us = e.at_us;
    e.run(e.user, e.number);
    return e.at_us;
}

void queue_free(struct queue *q)
{
    free(q->heap);
    *q = (struct queue){0};
}
