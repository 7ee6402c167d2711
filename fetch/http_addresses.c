#include "fetch/http_addresses.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct known_host {
    char name[256]; /* with its port; empty: free */
    char addresses[HTTP_ADDRESSES_EACH][64];
    unsigned n, next; /* addresses; the one to be tried next */
    int64_t lost_until_ms;
    uint64_t used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the following */
static struct known_host hosts[HTTP_ADDRESSES_HOSTS];
static uint64_t uses;

/* --- with the lock held -------------------------------------------------------------- */

/* False: there is none, or it is longer than names are. */
static bool host_of(const char *url, char out[256])
{
    const char *at = strstr(url, "://");
    at = at ? at + 3 : url;
    size_t len = strcspn(at, "/?#");
    if (len == 0 || len >= 256)
        return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

static struct known_host *find(const char *url)
{
    char name[256];
    if (!host_of(url, name))
        return NULL;
    for (int i = 0; i < HTTP_ADDRESSES_HOSTS; i++)
        if (strcmp(hosts[i].name, name) == 0) {
            hosts[i].used = ++uses;
            return &hosts[i];
        }
    return NULL;
}

/* In the place of the one that was not used for longest. */
static struct known_host *add(const char *url)
{
    struct known_host *oldest = &hosts[0];
    char name[256];
    if (!host_of(url, name))
        return NULL;
    for (int i = 1; i < HTTP_ADDRESSES_HOSTS; i++)
        if (hosts[i].used < oldest->used)
            oldest = &hosts[i];
    *oldest = (struct known_host){.used = ++uses};
    memcpy(oldest->name, name, sizeof(name));
    return oldest;
}

/* The latest come first. */
static void note(struct known_host *h, const char *address)
{
    unsigned at = 0;
    while (at < h->n && strcmp(h->addresses[at], address) != 0)
        at++;
    if (at == h->n && h->n < HTTP_ADDRESSES_EACH)
        h->n++;
    if (at == HTTP_ADDRESSES_EACH)
        at--;
    memmove(h->addresses[1], h->addresses[0], at * sizeof(h->addresses[0]));
    snprintf(h->addresses[0], sizeof(h->addresses[0]), "%s", address);
}

/* --- anybody --------------------------------------------------------------------------- */

void http_addresses_learn(const char *url, const char *address)
{
    if (!*address || strlen(address) >= sizeof(hosts[0].addresses[0]))
        return;
    pthread_mutex_lock(&lock);
    struct known_host *h = find(url);
    if (!h)
        h = add(url);
    if (h)
        note(h, address);
    pthread_mutex_unlock(&lock);
}

bool http_addresses_lost(const char *url, int64_t now_ms)
{
    pthread_mutex_lock(&lock);
    struct known_host *h = find(url);
    if (h)
        h->lost_until_ms = now_ms + HTTP_ADDRESSES_LOST_MS;
    pthread_mutex_unlock(&lock);
    return h != NULL;
}

bool http_addresses_instead(const char *url, int64_t now_ms, char *out, size_t size)
{
    pthread_mutex_lock(&lock);
    struct known_host *h = find(url);
    bool lost = h && h->n > 0 && now_ms < h->lost_until_ms;
    if (lost) {
        const char *address = h->addresses[h->next++ % h->n];
        bool is_v6 = strchr(address, ':') != NULL;
        snprintf(out, size, is_v6 ? "::[%s]:" : "::%s:", address);
    }
    pthread_mutex_unlock(&lock);
    return lost;
}
