#include "agent/stride_ahead.h"

#include "agent/blocks.h"
#include "agent/route.h"

/* Each is a request of its own: no more come ahead while so many are under way. */
#define REQUESTS_MOST 64

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A span may lie across blocks: blocks_want() goes through them one after the other. */
static bool fetch(struct blocks_order *o)
{
    while (o->from < o->to) {
        struct blocks_begun begun = blocks_want(o);
        if (begun.failed || begun.next <= o->from)
            return false;
        o->from = begun.next;
    }
    return true;
}

void stride_ahead(struct agent *a, const struct version *v, struct context *context,
                  struct job *job, const struct stride_plan *plan)
{
    struct blocks_order order = {.agent = a,
                                 .version = v,
                                 .context = context,
                                 .job = job,
                                 .part_bytes = v->block_bytes,
                                 .read_ahead = true};
    for (uint32_t i = 0; i < plan->count && routes_in_flight() < REQUESTS_MOST; i++) {
        order.from = plan->first + i * (uint64_t)plan->step;
        order.to = at_most(order.from + plan->len, v->size_bytes);
        if (!fetch(&order))
            return;
    }
}
