#include "fetch/http_transfer.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fetch/http_addresses.h"
#include "fetch/http_hedge.h"
#include "fetch/http_socket.h"

#define DEFAULT_CONNECT_MS    10000
#define DEFAULT_FIRST_BYTE_MS 30000
#define DEFAULT_STALL_MS      20000
#define DEFAULT_TOTAL_MS      600000
#define RECEIVE_BUFFER_BYTES  (512L * 1024)

static int64_t or_default(int64_t value_ms, int64_t default_ms)
{
    return value_ms > 0 ? value_ms : default_ms;
}

/* ---- what curl calls ---- */

static void hear(struct http_transfer *t)
{
    if (!t->last_heard_ms)
        *t->next_check_ms = 0; /* another timeout counts from here on, perhaps a shorter one */
    t->last_heard_ms = clock_monotonic_ms();
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    struct http_transfer *t = user;
    size_t len = size * n;
    long status = 0;

    if (t->lost)
        return 0;
    hear(t);
    bool blank = len <= 2 && (data[0] == '\r' || data[0] == '\n');
    if (!blank || t->headers_complete)
        return len; /* after headers_complete: a chunked body's trailers */

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return len; /* 100 Continue and the like: the real answer follows */
    t->headers_complete = true;
    http_hedge_won(t);
    t->request->status = (int)status;
    if (t->request->head && !t->request->head(t->request)) {
        t->refused = true;
        return 0;
    }
    return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct http_transfer *t = user;
    size_t len = size * n;

    if (t->lost)
        return 0;
    hear(t);
    if (t->request->body && !t->request->body(t->request, data, len)) {
        t->refused = true;
        return 0;
    }
    return len;
}

const char *http_header(const struct http_request *r, const char *name)
{
    struct curl_header *header;
    if (!r->transfer || !r->transfer->easy)
        return NULL;
    if (curl_easy_header(r->transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* ---- what curl is told ---- */

static bool set_headers(struct http_transfer *t)
{
    for (const char *const *line = t->request->headers; line && *line; line++) {
        struct curl_slist *longer = curl_slist_append(t->headers, *line);
        if (!longer)
            return false;
        t->headers = longer;
    }
    return true;
}

static void set_options(CURL *easy, struct http_transfer *t)
{
    const struct http_request *r = t->request;

    curl_easy_setopt(easy, CURLOPT_URL, r->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* "a/../b" is a key like any other */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver's thread */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, http_socket_open);
    /* S3's name has many addresses, and others each time. Shuffled once and kept, one of them would
     * get all connections of a minute; there are few, as they are kept. */
    curl_easy_setopt(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)or_default(r->connect_timeout_ms, DEFAULT_CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->detail);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    if (r->ca_bundle)
        curl_easy_setopt(easy, CURLOPT_CAINFO, r->ca_bundle);
    if (r->client_cert)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, r->client_cert);
    if (r->client_key)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, r->client_key);
    if (r->connect_only) {
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* what a proxy accepts says nothing */
    }
    if (strcmp(r->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(r->method, "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
}

/* False: nothing has to be instead of its name, or memory is short. */
static bool set_instead(struct http_transfer *t, int64_t now_ms)
{
    char entry[80];
    if (!http_addresses_instead(t->request->url, now_ms, entry, sizeof(entry)))
        return false;
    t->instead = curl_slist_append(NULL, entry);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->instead);
    return t->instead != NULL;
}

bool http_transfer_set_up(struct http_transfer *t)
{
    if (!set_headers(t))
        return false;
    set_options(t->easy, t);
    set_instead(t, clock_monotonic_ms());
    return true;
}

/* ---- names of hosts ---- */

/* Also a resolver that says nothing within the time for connecting. */
static bool is_unresolved(CURL *easy, CURLcode code)
{
    curl_off_t resolved_us = 0;
    if (code == CURLE_OPERATION_TIMEDOUT)
        curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
    return code == CURLE_COULDNT_RESOLVE_HOST ||
           (code == CURLE_OPERATION_TIMEDOUT && resolved_us == 0);
}

/* Or a proxy is? Its port tells; curl itself says so only from 8.7 on. */
static bool is_host_connected(CURL *easy, const char *url)
{
    char *text = NULL;
    long port = 0;
    CURLU *parts = curl_url();
    bool same = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port) == CURLE_OK &&
                strtol(text, NULL, 10) == port;
    curl_free(text);
    curl_url_cleanup(parts);
    return same;
}

bool http_transfer_learn(struct http_transfer *t, CURLcode code, int64_t now_ms)
{
    const char *url = t->request->url;
    char *address = NULL;
    long connected = 0;
    if (t->instead)
        return false;
    if (is_unresolved(t->easy, code))
        return http_addresses_lost(url, now_ms) && set_instead(t, now_ms);
    if (code == CURLE_OK)
        curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connected);
    if (connected > 0 && is_host_connected(t->easy, url) &&
        curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address)
        http_addresses_learn(url, address);
    return false;
}

/* ---- timeouts ---- */

/* Nothing came since `from_ms`, not for this request at least. */
static int64_t silent_until_ms(const struct http_request *r, int64_t from_ms, int64_t timeout_ms)
{
    int64_t heard_ms = r->server_heard_ms ? atomic_load(r->server_heard_ms) : 0;
    return (heard_ms > from_ms ? heard_ms : from_ms) + timeout_ms;
}

/* Once told, there is half of the time left for a sign of life, even where this thread itself has
 * waited for a processor until the limit. */
static int64_t or_quiet_ms(struct http_transfer *t, int64_t limit_ms, int64_t timeout_ms,
                           int64_t now_ms)
{
    int64_t half_ms = timeout_ms / 2;
    if (!t->request->quiet || t->lost)
        return limit_ms;
    if (t->quiet_of_ms != limit_ms) {
        if (now_ms < limit_ms - half_ms)
            return limit_ms - half_ms;
        t->quiet_of_ms = limit_ms;
        t->quiet_told_ms = now_ms;
        t->request->quiet(t->request);
    }
    return t->quiet_told_ms + half_ms > limit_ms ? t->quiet_told_ms + half_ms : limit_ms;
}

int64_t http_transfer_limit_ms(struct http_transfer *t, int64_t now_ms, const char **what,
                               int64_t *timeout_ms)
{
    const struct http_request *r = t->request;
    curl_off_t sent_us = 0;
    int64_t from_ms = now_ms; /* still connecting: curl watches that */

    if (t->last_heard_ms) {
        *what = "went quiet in the middle of its answer for";
        *timeout_ms = or_default(r->stall_timeout_ms, DEFAULT_STALL_MS);
        from_ms = t->last_heard_ms;
    } else {
        *what = "did not answer within";
        *timeout_ms = or_default(r->first_byte_timeout_ms, DEFAULT_FIRST_BYTE_MS);
        if (t->easy)
            curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
        if (sent_us)
            from_ms = t->started_ms + sent_us / 1000;
    }
    int64_t limit = or_quiet_ms(t, silent_until_ms(r, from_ms, *timeout_ms), *timeout_ms, now_ms);
    if (from_ms + HTTP_WAIT_TIMES * *timeout_ms < limit)
        limit = from_ms + HTTP_WAIT_TIMES * *timeout_ms;
    int64_t total_ms = or_default(r->total_timeout_ms, DEFAULT_TOTAL_MS);
    if (t->due_ms + total_ms < limit) {
        limit = t->due_ms + total_ms;
        *timeout_ms = total_ms;
        if (t->last_heard_ms)
            *what = "did not complete its answer within";
    }
    return limit;
}
