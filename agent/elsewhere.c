#include "agent/elsewhere.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <utlist.h>

#include "agent/cluster.h"
#include "agent/peer_block.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#define TURNS_LOOKED_AT 8

struct elsewhere {
    struct loop_task task;
    struct agent *agent;
    struct version version;
    uint64_t index;
    struct job *job;
    void (*ended)(void *user, enum elsewhere_end end, int fd);
    void *user;
    struct index_want want;
    enum index_answer answer;
    int rounds;
    int64_t origin_ms;             /* ORIGIN was said then; 0: it wasn't */
    struct elsewhere *prev, *next; /* while it waits for its turn */
    bool awaits_turn;
    bool from_peer; /* the task brings a peer's outcome, else the index's answer */

    /* the engine's thread until the task runs */
    struct peer_request peer;
    char path[STORE_NAME_MAX + 1];
    struct peer_block *incoming;
    int fd;
};

/* Read ahead, and enough is asked of those who have it: the first is asked for when another one is
 * here. Loop thread. */
static struct elsewhere *turns;

static void look(struct elsewhere *e);

/* --- on the engine's thread --------------------------------------------------------------- */

static bool on_data(struct peer_request *r, const void *data, size_t len)
{
    struct elsewhere *e = r->user;
    return peer_block_take(e->incoming, data, len);
}

static void on_peer_done(struct peer_request *r)
{
    struct elsewhere *e = r->user;
    struct peer_block *incoming = take_ptr(e->incoming);
    if (r->outcome == PEER_GOOD) {
        e->fd = peer_block_end(incoming);
        if (e->fd == -EBADMSG) {
            r->outcome = PEER_LIED;
            snprintf(r->why, sizeof(r->why), "its block %s does not verify", e->path);
        }
    } else {
        peer_block_drop(incoming);
    }
    loop_post(e->agent->loop, &e->task);
}

/* --- on the index's thread ------------------------------------------------------------------ */

static void on_answer(struct index_want *w, enum index_answer a)
{
    struct elsewhere *e = (struct elsewhere *)((char *)w - offsetof(struct elsewhere, want));
    e->answer = a;
    e->from_peer = false;
    loop_post(e->agent->loop, &e->task);
}

/* --- on the loop's thread ------------------------------------------------------------------- */

static enum index_taken ask_peer(struct elsewhere *e)
{
    struct index *ix = cluster_index(e->agent->cluster);
    enum index_taken taken;
    while ((taken = index_take_peer(ix, &e->want, &e->peer.peer)) == INDEX_TAKEN) {
        e->peer.access = cluster_access(e->agent->cluster);
        e->peer.path = e->path;
        e->peer.max_bytes = peer_block_most_bytes(&e->version, e->index);
        e->peer.write = on_data;
        e->peer.done = on_peer_done;
        e->peer.user = e;
        e->from_peer = true;
        e->incoming = peer_block_begin(e->agent->store, &e->version, e->index);
        if (peer_submit(e->agent->engine, &e->peer) == 0)
            break;
        peer_block_drop(take_ptr(e->incoming));
        index_give_peer(ix, &e->want, &e->peer.peer, PEER_FAILED, "its URL is too long");
    }
    return taken;
}

static void await_turn(struct elsewhere *e)
{
    e->awaits_turn = true;
    e->rounds -= e->rounds > 0; /* those who have it may be busy by then: that is no failure */
    DL_APPEND(turns, e);
}

static void leave_turns(struct elsewhere *e)
{
    e->awaits_turn = false;
    DL_DELETE(turns, e);
}

static void finish(struct elsewhere *e, enum elsewhere_end end)
{
    int fd = e->fd;
    e->origin_ms = end == ELSEWHERE_ORIGIN ? clock_monotonic_ms() : 0;
    e->ended(e->user, end, fd); /* frees e */
    if (fd >= 0)
        close(fd);
}

static void take_peer_outcome(struct elsewhere *e)
{
    const struct peer_request *r = &e->peer;
    bool was_wrong = e->want.is_guess && r->outcome == PEER_MISSING;
    index_give_peer(cluster_index(e->agent->cluster), &e->want, &r->peer, r->outcome, r->why);
    e->rounds -= r->outcome == PEER_BUSY || e->want.is_guess; /* that one doesn't count */
    job_count(e->job, COUNTER_peer_requests, 1);
    job_count(e->job, COUNTER_peer_wrong_guesses, was_wrong);
    job_count(e->job, COUNTER_peer_bytes, r->bytes);
    if (r->outcome == PEER_GOOD && e->fd >= 0) {
        job_count(e->job, COUNTER_peer_hit_blocks, 1);
        finish(e, ELSEWHERE_HERE);
        return;
    }
    job_count(e->job, COUNTER_peer_errors, r->outcome != PEER_MISSING && r->outcome != PEER_BUSY);
    log_debug("peer", "%s%s: %s", r->peer.url, e->path, r->why[0] ? r->why : "not there any more");
    look(e);
}

/* Without Redis the index still knows nodes that are likely to have it. */
static bool may_ask_index(struct elsewhere *e)
{
    struct index *ix = cluster_index(e->agent->cluster);
    return index_usable(ix) || index_may_guess(ix, &e->want);
}

static bool is_over(const struct elsewhere *e)
{
    return want_is_over(&e->want.want, clock_monotonic_ms());
}

static enum index_taken ask_peer_in_time(struct elsewhere *e)
{
    return is_over(e) ? INDEX_TAKE_NONE : ask_peer(e);
}

/* With what that said; frees it where there is nobody to ask. */
static void goes_on(struct elsewhere *e, enum index_taken taken)
{
    if (taken == INDEX_TAKEN)
        return;
    if (taken == INDEX_TAKE_LATER)
        await_turn(e);
    else if (!is_over(e) && may_ask_index(e) && e->rounds++ < WANT_ROUNDS_MAX)
        index_want(cluster_index(e->agent->cluster), &e->want);
    else
        finish(e, ELSEWHERE_ORIGIN);
}

/* A peer that is known, else the index. */
static void look(struct elsewhere *e)
{
    goes_on(e, ask_peer_in_time(e));
}

/* Asks for the first whose turn it is. False: there is none among the first few, which is where to
 * look: most wait for the same nodes. */
static bool next_turn(void)
{
    struct elsewhere *e;
    int passed = 0;
    DL_FOREACH(turns, e)
    {
        enum index_taken taken = ask_peer_in_time(e);
        if (taken != INDEX_TAKE_LATER) {
            leave_turns(e);
            goes_on(e, taken);
            return true;
        }
        if (++passed == TURNS_LOOKED_AT)
            return false;
    }
    return false;
}

static void on_task(struct loop_task *task)
{
    struct elsewhere *e = (struct elsewhere *)((char *)task - offsetof(struct elsewhere, task));
    if (e->from_peer) {
        take_peer_outcome(e);
        while (next_turn())
            ;
    } else if (e->answer == INDEX_PEER)
        look(e);
    else
        finish(e, ELSEWHERE_ORIGIN);
}

static void elsewhere_free(struct elsewhere *e)
{
    job_unref(e->job);
    free(e);
}

struct elsewhere *elsewhere_start(struct agent *a, const struct version *v, uint64_t index,
                                  enum elsewhere_for what_for, struct job *job,
                                  void (*ended)(void *user, enum elsewhere_end end, int fd),
                                  void *user)
{
    if (!a->cluster)
        return NULL;
    int64_t wait_ms =
        a->deadline_ms / 3 < WANT_WAIT_MOST_MS ? a->deadline_ms / 3 : WANT_WAIT_MOST_MS;
    struct elsewhere *e = must_calloc(1, sizeof(*e));
    e->task.run = on_task;
    e->agent = a;
    e->version = *v;
    e->index = index;
    e->job = job;
    job_ref(job);
    e->ended = ended;
    e->user = user;
    e->fd = -1;
    e->path[0] = '/';
    store_block_name(v, index, e->path + 1);
    memcpy(e->want.what.version, v->id.bytes, sizeof(e->want.what.version));
    e->want.what.block = index;
    e->want.what.blocks = version_blocks(v);
    e->want.want.is_demanded = what_for == ELSEWHERE_FOR_JOB;
    e->want.is_far = what_for == ELSEWHERE_FAR;
    e->want.want.wait_ms = wait_ms;
    want_start(&e->want.want, clock_monotonic_ms());
    e->want.answer = on_answer;
    enum index_taken taken = ask_peer(e);
    if (taken == INDEX_TAKE_LATER) {
        await_turn(e);
    } else if (taken == INDEX_TAKE_NONE && may_ask_index(e)) {
        index_want(cluster_index(a->cluster), &e->want);
    } else if (taken == INDEX_TAKE_NONE) {
        elsewhere_free(e);
        return NULL;
    }
    return e;
}

void elsewhere_hurry(struct elsewhere *e)
{
    index_hurry(cluster_index(e->agent->cluster), &e->want);
    if (!e->awaits_turn)
        return;
    leave_turns(e); /* who is waited for needs none */
    look(e);
}

void elsewhere_done(struct elsewhere *e, bool ok)
{
    if (e->origin_ms)
        index_fetched(cluster_index(e->agent->cluster), &e->want, ok,
                      clock_monotonic_ms() - e->origin_ms);
    elsewhere_free(e);
}
