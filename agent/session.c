#include "agent/session.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "agent/blocks.h"
#include "agent/listing.h"
#include "agent/lookup.h"
#include "agent/session_internal.h"
#include "agent/status.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"

#define TTL_MAX_S (10LL * 365 * 86400) /* as the option's */

static struct loop_watch listener = {.fd = -1};
static struct agent *listener_agent;
static bool accepting = true;
static size_t job_connections;
static struct conn *conns;

/* --- a connection's life ---------------------------------------------------------- */

static void conn_free(struct conn *c)
{
    lookup_cancel(&c->lookup);
    blocks_cancel(&c->block);
    listing_cancel(c->listing);
    if (c->said_hello && !c->is_tool)
        job_connections--;
    DL_DELETE(conns, c);
    if (c->page)
        job_page_done(c->job, c->page);
    job_unref(c->job);
    context_unref(c->base);
    context_unref(c->special);
    close(c->watch.fd);
    free(c);
}

static void hang_up(struct conn *c)
{
    loop_remove(c->agent->loop, &c->watch);
    conn_free(c);
}

/* Replies are sent from callbacks whose callers still hold the connection: one that fails only
 * shuts it down, and the loop then frees it. */
void conn_reply(struct conn *c, const void *data, size_t len, const int *fds, int n_fds)
{
    int r = wire_send(c->watch.fd, data, len, fds, n_fds);
    if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        log_warn("session", "a reply could not be sent: %s", strerror(-r));
    if (r < 0)
        shutdown(c->watch.fd, SHUT_RDWR);
    c->busy = false;
}

void conn_put_status(struct wire_buf *b, int error, const char *why)
{
    wire_put_u32(b, (uint32_t)error);
    wire_put_str(b, why, error ? strlen(why) : 0);
}

/* What docs/operations.md names; the sentence tells the rest. */
static int documented(int error)
{
    static const int known[] = {0, ENOENT, ENOTDIR, EACCES, ESTALE, ETIMEDOUT, ENOSYS};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (error == -known[i])
            return error;
    return -EIO;
}

void conn_reply_error(struct conn *c, int error, const char *why)
{
    uint8_t body[1024];
    struct wire_buf b = wire_buf(body, sizeof(body));
    conn_put_status(&b, documented(error), why);
    conn_reply(c, body, (size_t)(b.at - body), NULL, 0);
}

/* --- HELLO ------------------------------------------------------------------------ */

static void on_hello(struct conn *c, struct wire_buf *b)
{
    const char *vars[128];
    char job[64];
    uint32_t version = wire_get_u32(b);
    wire_get_u32(b); /* pid: for debugging with a trace */
    uint32_t flags = wire_get_u32(b);
    int64_t ttl_s = (int64_t)wire_get_u64(b);
    wire_get_text(b, job, sizeof(job));
    size_t n = wire_get_u16(b);
    char *text = must_calloc(1, WIRE_MAX_BYTES);
    CLEANUP_FREE char *owned = text;
    for (size_t i = 0; i < n && i < 128 && !b->bad; i++) {
        vars[i] = text;
        text += wire_get_text(b, text, (size_t)(owned + WIRE_MAX_BYTES - text)) + 1;
    }
    if (b->bad || n > 128 || version != WIRE_VERSION || c->said_hello) {
        shutdown(c->watch.fd, SHUT_RDWR);
        return;
    }
    c->said_hello = true;
    c->is_tool = flags & WIRE_HELLO_TOOL;
    c->ttl_ms = ttl_s < 0 || ttl_s > TTL_MAX_S ? TTL_MAX_S * 1000 : ttl_s * 1000;
    c->base = c->context = context_get(vars, n, c->agent->deadline_ms);
    explicit_bzero(owned, WIRE_MAX_BYTES);
    if (!c->is_tool || job[0])
        c->job = job_get(job);
    if (!c->is_tool)
        job_connections++;

    CLEANUP_CLOSE int page = -1;
    if (c->job && (flags & WIRE_HELLO_WANT_COUNTERS))
        page = job_page_new(c->job, &c->page);
    uint8_t body[64];
    struct wire_buf out = wire_buf(body, sizeof(body));
    wire_put_u32(&out, c->agent->block_bytes);
    wire_put_str(&out, WARMPATH_VERSION, strlen(WARMPATH_VERSION));
    conn_reply(c, body, (size_t)(out.at - body), &page, page >= 0 ? 1 : 0);
}

/* --- names -------------------------------------------------------------------------- */

bool conn_use_access(struct conn *c, struct wire_str access)
{
    c->context = c->base;
    if (access.len == 0)
        return true;
    if (access.len >= sizeof(c->access) || memchr(access.at, '\0', access.len))
        return false;
    if (strlen(c->access) != access.len || memcmp(c->access, access.at, access.len) != 0) {
        context_unref(c->special);
        memcpy(c->access, access.at, access.len);
        c->access[access.len] = '\0';
        c->special = context_with(c->base, c->access, c->agent->deadline_ms);
    }
    c->context = c->special;
    return true;
}

bool conn_get_name(struct conn *c, struct wire_buf *b, struct lookup_name *name)
{
    struct wire_name n = wire_get_name(b);
    if (b->bad || n.bucket.len >= sizeof(name->bucket) || n.key.len >= sizeof(name->key) ||
        memchr(n.key.at, '\0', n.key.len) || memchr(n.bucket.at, '\0', n.bucket.len) ||
        !conn_use_access(c, n.access))
        return false;
    memcpy(name->bucket, n.bucket.at, n.bucket.len);
    name->bucket[n.bucket.len] = '\0';
    memcpy(name->key, n.key.at, n.key.len);
    name->key[n.key.len] = '\0';
    name->style = n.style;
    return true;
}

/* --- the rest --------------------------------------------------------------------- */

static void on_list(struct conn *c, struct wire_buf *b)
{
    char token[4096];
    bool fine = conn_get_name(c, b, &c->name);
    wire_get_text(b, token, sizeof(token));
    if (!fine || b->bad)
        conn_reply_error(c, -EINVAL, "malformed request");
    else
        listing_start(c, token);
}

static void on_status(struct conn *c)
{
    char text[WIRE_MAX_BYTES];
    size_t len = status_json(c->agent, text, sizeof(text));
    conn_reply(c, text, len, NULL, 0);
}

static void on_job(struct conn *c)
{
    struct counters total = {0};
    if (c->job)
        job_total(c->job, &total);
    conn_reply(c, &total, sizeof(total), NULL, 0);
}

static void on_evict(struct conn *c)
{
    blocks_forget();
    store_evict_all_soon(c->agent->store);
    conn_reply_error(c, 0, "");
}

static void dispatch(struct conn *c, enum wire_op op, struct wire_buf *b)
{
    c->busy = true;
    if (op == WIRE_HELLO) {
        on_hello(c, b);
        return;
    }
    if (!c->said_hello) {
        shutdown(c->watch.fd, SHUT_RDWR);
        return;
    }
    switch (op) {
    case WIRE_STAT:
        session_lookup(c, b, LOOKUP_STAT);
        break;
    case WIRE_OPEN:
        session_lookup(c, b, LOOKUP_OPEN);
        break;
    case WIRE_BLOCKS:
        session_blocks(c, b);
        break;
    case WIRE_HELD:
        session_held(c, b);
        break;
    case WIRE_WANT:
        session_want(c, b);
        break;
    case WIRE_LIST:
        on_list(c, b);
        break;
    case WIRE_STATUS:
        on_status(c);
        break;
    case WIRE_JOB:
        on_job(c);
        break;
    case WIRE_EVICT:
        on_evict(c);
        break;
    case WIRE_STOP:
        conn_reply_error(c, 0, "");
        loop_stop(c->agent->loop);
        break;
    default:
        conn_reply_error(c, -ENOSYS, "unknown request");
    }
}

static void on_readable(struct loop_watch *w, uint32_t events)
{
    struct conn *c = conn_of(w, watch);
    uint8_t body[WIRE_MAX_BYTES];
    (void)events;
    ssize_t len = wire_receive(w->fd, body, sizeof(body), NULL, NULL);
    if (len == -EAGAIN)
        return;
    if (len <= 0 || c->busy) { /* it hung up, or speaks out of turn */
        hang_up(c);
        return;
    }
    struct wire_buf b = wire_buf(body, (size_t)len);
    enum wire_op op = wire_get_u8(&b);
    dispatch(c, op, &b);
}

/* --- accepting -------------------------------------------------------------------- */

static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0;
}

/* No descriptor is left: the listener would be ready again at once, for ever. */
static void pause_accepting(void)
{
    log_warn("session", "no descriptor is left for another connection: raise ulimit -n");
    loop_remove(listener_agent->loop, &listener);
    accepting = false;
}

void sessions_tick(void)
{
    if (!accepting && loop_add(listener_agent->loop, &listener, EPOLLIN) == 0)
        accepting = true;
}

static void on_connection(struct loop_watch *w, uint32_t events)
{
    (void)events;
    for (;;) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            pause_accepting();
        if (fd < 0)
            return;
        if (!is_ours(fd)) {
            close(fd);
            continue;
        }
        struct conn *c = must_calloc(1, sizeof(*c));
        c->agent = listener_agent;
        c->watch.fd = fd;
        c->watch.ready = on_readable;
        DL_APPEND(conns, c);
        if (loop_add(c->agent->loop, &c->watch, EPOLLIN) < 0)
            conn_free(c);
    }
}

int sessions_start(struct agent *a, int listen_fd)
{
    listener_agent = a;
    listener.fd = listen_fd;
    listener.ready = on_connection;
    return loop_add(a->loop, &listener, EPOLLIN);
}

void sessions_end(void)
{
    while (conns)
        hang_up(conns);
    close(listener.fd);
}

size_t sessions_count(void)
{
    return job_connections;
}
