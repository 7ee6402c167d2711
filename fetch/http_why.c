#include "fetch/http_why.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* host:port of a URL, for messages. */
static void name_host(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    snprintf(out, size, "%.*s", (int)(len < 120 ? len : 120), host);
}

static int code_to_error(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return -ENXIO;
    case CURLE_OPERATION_TIMEDOUT: /* curl is told of no timeout but that for connecting */
        return -EHOSTUNREACH;
    case CURLE_PARTIAL_FILE:
        return -ENODATA;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return -ECONNRESET;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return -EKEYREJECTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* of the URL, or HTTP/0.9 */
        return -EPROTO;
    case CURLE_URL_MALFORMAT:
        return -EINVAL;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static void explain(struct http_request *r, CURL *easy, CURLcode code, const char *detail)
{
    char host[128];
    long os_errno = 0;
    name_host(r->url, host, sizeof(host));
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    if (!*detail)
        detail = curl_easy_strerror(code);

    switch (code) {
    case CURLE_COULDNT_CONNECT:
        snprintf(r->why, sizeof(r->why), "cannot connect to %s: %s", host,
                 os_errno ? strerror((int)os_errno) : detail);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        snprintf(r->why, sizeof(r->why), "cannot find the host %s: its name is not known here",
                 host);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(r->why, sizeof(r->why), "cannot connect to %s: no answer within its time", host);
        break;
    case CURLE_PARTIAL_FILE:
        snprintf(r->why, sizeof(r->why), "%s closed the connection in the middle of the body",
                 host);
        break;
    case CURLE_GOT_NOTHING:
        snprintf(r->why, sizeof(r->why), "%s closed the connection without an answer", host);
        break;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        snprintf(r->why, sizeof(r->why), "the connection to %s broke: %s", host,
                 os_errno ? strerror((int)os_errno) : detail);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        snprintf(r->why, sizeof(r->why), "the certificate of %s is not trusted (%s)", host, detail);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(r->why, sizeof(r->why), "cannot use the CA file %s",
                 r->ca_bundle ? r->ca_bundle : "");
        break;
    default:
        snprintf(r->why, sizeof(r->why), "%s: %s", host, detail);
    }
}

void http_why_curl(struct http_request *r, CURL *easy, CURLcode code, const char *detail)
{
    r->error = code_to_error(code);
    explain(r, easy, code, detail);
}

void http_why_timeout(struct http_request *r, const char *what, int64_t timeout_ms)
{
    char host[128];
    name_host(r->url, host, sizeof(host));
    r->error = -ETIMEDOUT;
    snprintf(r->why, sizeof(r->why), "%s %s %.1f s", host, what, (double)timeout_ms / 1000);
}

void http_why_cancel(struct http_request *r, const char *why)
{
    r->error = -ECANCELED;
    snprintf(r->why, sizeof(r->why), "%s", why);
}
