#include "fetch/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fetch/http_worker.h"

struct http_engine {
    int n_workers;
    struct http_worker *workers[];
};

/* The one with least to do. Of equals the first: requests that come one at a time then find a
 * connection and a thread that are warm. */
static struct http_worker *choose(struct http_engine *e)
{
    struct http_worker *least = e->workers[0];
    for (int i = 1; i < e->n_workers; i++)
        if (http_worker_load(e->workers[i]) < http_worker_load(least))
            least = e->workers[i];
    return least;
}

int http_submit(struct http_engine *e, struct http_request *r)
{
    return http_worker_take(choose(e), r);
}

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_engine *http_engine_new(int n_threads)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);

    if (n_threads < 1) {
        errno = EINVAL;
        return NULL;
    }
    struct http_engine *e = calloc(1, sizeof(*e) + (size_t)n_threads * sizeof(e->workers[0]));
    if (!e)
        return NULL;
    while (e->n_workers < n_threads) {
        struct http_worker *w = http_worker_start();
        if (!w) {
            int saved = errno;
            http_engine_free(e);
            errno = saved;
            return NULL;
        }
        e->workers[e->n_workers++] = w;
    }
    return e;
}

void http_engine_free(struct http_engine *e)
{
    if (!e)
        return;
    /* One after the other would not do: a callback of one worker may submit to another. */
    for (int i = 0; i < e->n_workers; i++)
        http_worker_ask_to_stop(e->workers[i]);
    for (int i = 0; i < e->n_workers; i++)
        http_worker_join(e->workers[i]);
    for (int i = 0; i < e->n_workers; i++)
        http_worker_free(e->workers[i]);
    free(e);
}
