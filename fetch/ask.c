#include "fetch/ask.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/http_socket.h"

struct receipt {
    const struct ask *question;
    struct ask_answer *answer;
};

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct receipt *r = user;
    struct ask_answer *a = r->answer;
    size_t len = size * n;
    if (a->len + len > ASK_MAX_BYTES)
        return 0;
    memcpy(a->body + a->len, data, len);
    a->len += len;
    return len;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct receipt *r = user;
    (void)down_total, (void)down, (void)up_total, (void)up;
    return r->question->stop && atomic_load(r->question->stop);
}

static bool set_headers(CURL *easy, const struct ask *a, struct curl_slist **list)
{
    /* No "Expect: 100-continue" before a long token. */
    *list = curl_slist_append(NULL, "Expect:");
    for (const char *const *line = a->headers; *list && line && *line; line++) {
        struct curl_slist *longer = curl_slist_append(*list, *line);
        if (!longer)
            return false;
        *list = longer;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *list);
    return *list != NULL;
}

static void set_options(CURL *easy, const struct ask *a, struct receipt *r, char *detail)
{
    curl_easy_setopt(easy, CURLOPT_URL, a->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "warmpath");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)a->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)a->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, http_socket_open);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, r);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    if (a->direct)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (a->ca_bundle)
        curl_easy_setopt(easy, CURLOPT_CAINFO, a->ca_bundle);
    if (a->content)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, a->content);
    else if (strcmp(a->method, "GET") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, a->method);
}

/* The server's own words, without its body: the URL may hold nothing secret, a body may. */
static void explain(const struct ask *a, CURLcode code, const char *detail, struct ask_answer *out)
{
    const char *host = strstr(a->url, "://");
    host = host ? host + 3 : a->url;
    int len = (int)strcspn(host, "/?#");
    snprintf(out->why, sizeof(out->why), "%.*s: %.120s", len < 80 ? len : 80, host,
             *detail ? detail : curl_easy_strerror(code));
}

static void finish(CURL *easy, const struct ask *a, const char *detail, struct ask_answer *out)
{
    struct curl_header *date;
    long status = 0;
    CURLcode code = curl_easy_perform(easy);
    if (code != CURLE_OK) {
        explain(a, code, detail, out);
        return;
    }
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    out->body[out->len] = '\0';
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
        time_t when = curl_getdate(date->value, NULL);
        out->date_s = when > 0 ? (int64_t)when : 0;
    }
}

bool ask(const struct ask *a, struct ask_answer *out)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct receipt r = {.question = a, .answer = out};
    struct curl_slist *headers = NULL;

    memset(out, 0, sizeof(*out));
    CURL *easy = curl_easy_init();
    out->body = malloc(ASK_MAX_BYTES + 1);
    if (easy && out->body && set_headers(easy, a, &headers)) {
        set_options(easy, a, &r, detail);
        finish(easy, a, detail, out);
    } else {
        snprintf(out->why, sizeof(out->why), "out of memory");
    }
    curl_slist_free_all(headers);
    if (easy)
        curl_easy_cleanup(easy);
    return out->status != 0;
}

void ask_answer_clear(struct ask_answer *answer)
{
    if (answer->body)
        OPENSSL_cleanse(answer->body, answer->len);
    free(answer->body);
    memset(answer, 0, sizeof(*answer));
}
