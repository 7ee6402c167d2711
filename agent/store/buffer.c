#include "agent/store/buffer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/alloc.h"

#define KEPT 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *idle[KEPT];
static int n_idle;
static size_t n_made, n_peak; /* n_made includes the idle ones */

struct hold {
    struct hold *next;
    const void *data;
    bool given; /* back by its owner meanwhile */
};
static struct hold *holds; /* a handful: one for each write under way */

char *buffer_take(void)
{
    char *buffer = NULL;
    pthread_mutex_lock(&lock);
    if (n_idle > 0)
        buffer = idle[--n_idle];
    else if (++n_made > n_peak)
        n_peak = n_made;
    pthread_mutex_unlock(&lock);
    return buffer ? buffer : must(aligned_alloc(4096, BUFFER_BYTES));
}

static struct hold *find_hold(const void *data)
{
    struct hold *h;
    LL_FOREACH(holds, h)
    if (h->data == data)
        return h;
    return NULL;
}

/* With the lock held. What is to be freed, or NULL. */
static char *put_back(char *buffer)
{
    if (n_idle < KEPT) {
        idle[n_idle++] = buffer;
        return NULL;
    }
    n_made--;
    return buffer;
}

void buffer_give(char *buffer)
{
    if (!buffer)
        return;
    pthread_mutex_lock(&lock);
    struct hold *h = find_hold(buffer);
    if (h)
        h->given = true;
    else
        buffer = put_back(buffer);
    pthread_mutex_unlock(&lock);
    if (!h)
        free(buffer);
}

void buffer_hold(const void *data)
{
    struct hold *h = must_calloc(1, sizeof(*h));
    h->data = data;
    pthread_mutex_lock(&lock);
    LL_PREPEND(holds, h);
    pthread_mutex_unlock(&lock);
}

void buffer_release(const void *data)
{
    pthread_mutex_lock(&lock);
    struct hold *h = find_hold(data);
    LL_DELETE(holds, h);
    struct hold *other = find_hold(data);
    char *buffer = NULL;
    if (h->given && other)
        other->given = true;
    else if (h->given)
        buffer = put_back((char *)(uintptr_t)data);
    pthread_mutex_unlock(&lock);
    free(buffer);
    free(h);
}

void buffer_numbers(struct buffer_numbers *out)
{
    pthread_mutex_lock(&lock);
    *out = (struct buffer_numbers){n_made * BUFFER_BYTES, n_peak * BUFFER_BYTES};
    pthread_mutex_unlock(&lock);
}
