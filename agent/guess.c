#include "agent/guess.h"

#include <errno.h>
#include <utlist.h>

#include "agent/blocks.h"
#include "common/alloc.h"
#include "common/log.h"

struct guess {
    struct lookup_waiter waiter;
    struct guess *prev, *next; /* among the waiting ones */
    struct guess_order order;
    struct lookup_name name;
    bool asked; /* S3 had to be asked */
};

static struct guess *waiting;
static size_t n_waiting, under_way;

static void pump(void);

static void guess_free(struct guess *g)
{
    context_unref(g->order.context);
    job_unref(g->order.job);
    free(g);
}

/* What the look-up did not bring of the first block (a cluster's nodes ask each other for it). */
static void complete(const struct guess *g, const struct meta *m, bool fetched)
{
    const struct guess_order *o = &g->order;
    struct version v;
    int error;
    char why[384];
    struct s3_context *s3 = context_s3(o->context, g->name.style, &error, why, sizeof(why));
    if (!s3 || m->kind != META_FILE || m->size_bytes == 0)
        return;
    lookup_version(s3, &g->name, m, o->agent->block_bytes, &v);
    if (fetched)
        blocks_note_ahead(&v, 0);
    else if (m->size_bytes <= o->agent->block_bytes)
        blocks_want(&(struct blocks_order){.agent = o->agent,
                                           .version = &v,
                                           .context = o->context,
                                           .job = o->job,
                                           .to = m->size_bytes,
                                           .part_bytes = o->agent->block_bytes});
}

static void on_answer(struct lookup_waiter *w, const struct lookup_result *r)
{
    struct guess *g = (struct guess *)(void *)((char *)w - offsetof(struct guess, waiter));
    under_way--;
    if (!r->error && g->asked)
        job_count(g->order.job, COUNTER_ahead_files, 1);
    if (!r->error) {
        complete(g, &r->meta, r->block_fd >= 0);
    } else if (r->error != -ENOENT && r->error != -ENOTDIR) {
        log_info("siblings", "ahead: %s", r->why);
        if (g->order.failed)
            g->order.failed(g->order.context, &g->name);
    }
    guess_free(g);
    pump();
}

/* Some are answered at once, from memory: not by recursion. */
static void pump(void)
{
    static bool pumping;
    if (pumping)
        return;
    pumping = true;
    while (waiting && under_way < GUESSES_UNDER_WAY) {
        struct guess *g = waiting;
        DL_DELETE(waiting, g);
        n_waiting--;
        under_way++;
        g->waiter.wake = on_answer;
        struct lookup_request q = {.context = g->order.context,
                                   .job = g->order.job,
                                   .name = &g->name,
                                   .how = LOOKUP_OPEN,
                                   .ttl_ms = g->order.ttl_ms,
                                   .ahead = true};
        g->asked = !lookup_is_known(&q);
        lookup_start(g->order.agent, &q, &g->waiter);
    }
    pumping = false;
}

void guess_start(const struct guess_order *order)
{
    if (n_waiting >= GUESSES_WAITING)
        return;
    struct guess *g = must_calloc(1, sizeof(*g));
    g->order = *order;
    g->name = *order->name;
    context_ref(g->order.context);
    job_ref(g->order.job);
    DL_APPEND(waiting, g);
    n_waiting++;
    pump();
}

void guess_drop(const struct context *context, const char *bucket, const char *prefix)
{
    struct guess *g, *next;
    DL_FOREACH_SAFE(waiting, g, next)
    {
        if (g->order.context != context || strcmp(g->name.bucket, bucket) != 0 ||
            strncmp(g->name.key, prefix, strlen(prefix)) != 0)
            continue;
        DL_DELETE(waiting, g);
        n_waiting--;
        guess_free(g);
    }
}
