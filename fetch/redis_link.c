#include "fetch/redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common/clock.h"

/* hiredis 1.0 and later can bring a TLS of its own (libhiredis_ssl). */
#ifdef WARMPATH_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

static int fail(struct redis_link *l, int error, const char *what, char *why, size_t why_size)
{
    char address[300];
    redis_address_text(&l->address, address, sizeof(address));
    snprintf(why, why_size, "Redis at %s %s", address, what);
    l->error = error;
    return error;
}

static struct timeval timeval_of(int64_t ms)
{
    if (ms < 1)
        ms = 1;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

void redis_link_close(struct redis_link *l)
{
    if (l->context)
        redisFree(l->context);
    l->context = NULL;
    l->appended = 0;
}

/* --- replies ------------------------------------------------------------------- */

static int fail_broken(struct redis_link *l, char *why, size_t why_size)
{
    char what[200];
    int kind = l->context->err;
    snprintf(what, sizeof(what), kind == REDIS_ERR_PROTOCOL ? "talks nonsense: %s" : "is gone: %s",
             l->context->errstr);
    redis_link_close(l);
    return fail(l, kind == REDIS_ERR_PROTOCOL ? -EPROTO : -ECONNRESET, what, why, why_size);
}

/* hiredis waits in read(); this is what lets one deadline hold for a whole batch. */
static bool wait_readable(struct redis_link *l, int64_t until_ms)
{
    for (;;) {
        int64_t left = until_ms - clock_monotonic_ms();
        struct pollfd p = {.fd = l->context->fd, .events = POLLIN};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

redisReply *redis_link_receive(struct redis_link *l, int64_t until_ms, char *why, size_t why_size)
{
    void *reply = NULL;
    for (;;) {
        if (redisGetReplyFromReader(l->context, &reply) != REDIS_OK) {
            fail_broken(l, why, why_size);
            return NULL;
        }
        if (reply)
            return reply;
        if (!wait_readable(l, until_ms)) {
            redis_link_close(l); /* a late reply must not be taken for the next one's */
            fail(l, -ETIMEDOUT, "did not answer in time", why, why_size);
            return NULL;
        }
        if (redisBufferRead(l->context) != REDIS_OK) {
            fail_broken(l, why, why_size);
            return NULL;
        }
    }
}

int redis_link_flush(struct redis_link *l, int64_t until_ms, char *why, size_t why_size)
{
    int done = 0;
    redisSetTimeout(l->context, timeval_of(until_ms - clock_monotonic_ms()));
    while (!done)
        if (redisBufferWrite(l->context, &done) != REDIS_OK)
            return fail_broken(l, why, why_size);
    return 0;
}

redisReply *redis_link_ask(struct redis_link *l, int64_t until_ms, char *why, size_t why_size,
                           const char *command, const char *a, const char *b)
{
    const char *args[] = {command, a, b};
    int n = b ? 3 : a ? 2 : 1;
    if (redisAppendCommandArgv(l->context, n, args, NULL) != REDIS_OK ||
        redis_link_flush(l, until_ms, why, why_size) < 0)
        return NULL;
    return redis_link_receive(l, until_ms, why, why_size);
}

/* --- connecting ---------------------------------------------------------------- */

/* Runs a command whose reply only has to be no error. */
static int demand(struct redis_link *l, int64_t until_ms, char *why, size_t why_size,
                  const char *command, const char *a, const char *b)
{
    redisReply *reply = redis_link_ask(l, until_ms, why, why_size, command, a, b);
    int r = 0;
    if (!reply)
        return l->error;
    if (reply->type == REDIS_REPLY_ERROR) {
        char what[300];
        snprintf(what, sizeof(what), "refuses %s: %.200s", command, reply->str);
        redis_link_close(l);
        r = fail(l, -EACCES, what, why, why_size);
    }
    freeReplyObject(reply);
    return r;
}

int redis_link_log_in(struct redis_link *l, const struct redis_target *t, int64_t until_ms,
                      char *why, size_t why_size)
{
    if (t->user[0])
        return demand(l, until_ms, why, why_size, "AUTH", t->user, t->password);
    if (t->password[0])
        return demand(l, until_ms, why, why_size, "AUTH", t->password, NULL);
    return 0;
}

static int begin(struct redis_link *l, const struct redis_target *t, int64_t until_ms, char *why,
                 size_t why_size)
{
    int r = redis_link_log_in(l, t, until_ms, why, why_size);
    if (r == 0 && t->db) {
        char db[16];
        snprintf(db, sizeof(db), "%u", t->db);
        r = demand(l, until_ms, why, why_size, "SELECT", db, NULL);
    }
    return r;
}

#ifdef WARMPATH_REDIS_TLS
/* The system's authorities, or those that SSL_CERT_FILE or SSL_CERT_DIR name. Made once, by the one
 * thread that talks to Redis; NULL when OpenSSL can't. */
static SSL_CTX *authorities(void)
{
    static SSL_CTX *ctx;
    if (!ctx && (ctx = SSL_CTX_new(TLS_client_method()))) {
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_default_verify_paths(ctx);
    }
    return ctx;
}

/* Whose certificate it has to be: hiredis itself looks at no name. */
static bool expect_name(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static int start_tls(struct redis_link *l, char *why, size_t why_size)
{
    char what[300];
    SSL *ssl = authorities() ? SSL_new(authorities()) : NULL;
    if (ssl && expect_name(ssl, l->address.host) && redisInitiateSSL(l->context, ssl) == REDIS_OK)
        return 0; /* it is the context's now */
    long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    snprintf(what, sizeof(what), "can't be talked to over TLS: %s",
             verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
             : l->context->err    ? "no handshake; does the server speak TLS there?"
                                  : "OpenSSL can't be set up");
    SSL_free(ssl);
    ERR_clear_error();
    redis_link_close(l);
    return fail(l, -EPROTO, what, why, why_size);
}
#else
static int start_tls(struct redis_link *l, char *why, size_t why_size)
{
    redis_link_close(l);
    return fail(l, -EPROTONOSUPPORT, "wants TLS, which this build lacks", why, why_size);
}
#endif

int redis_link_connect(struct redis_link *l, const struct redis_target *target, bool is_sentinel,
                       int64_t until_ms, char *why, size_t why_size)
{
    struct timeval limit = timeval_of(until_ms - clock_monotonic_ms());
    redis_link_close(l);
    l->context = l->address.port == 0
                     ? redisConnectUnixWithTimeout(l->address.host, limit)
                     : redisConnectWithTimeout(l->address.host, l->address.port, limit);
    if (!l->context)
        return fail(l, -ENOMEM, "can't be connected to: out of memory", why, why_size);
    if (l->context->err) {
        char what[200];
        snprintf(what, sizeof(what), "can't be connected to: %s", l->context->errstr);
        redis_link_close(l);
        return fail(l, -ECONNREFUSED, what, why, why_size);
    }
    fcntl(l->context->fd, F_SETFD, FD_CLOEXEC); /* it is logged in: not for programs we start */
    redisSetTimeout(l->context, timeval_of(until_ms - clock_monotonic_ms()));
    int r = target->tls ? start_tls(l, why, why_size) : 0;
    if (r == 0 && !is_sentinel)
        r = begin(l, target, until_ms, why, why_size);
    return r;
}
