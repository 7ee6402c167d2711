#include "agent/buffer.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/alloc.h"

#define KEPT 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *idle[KEPT];
static int n_idle;

char *buffer_take(void)
{
    char *buffer = NULL;
    pthread_mutex_lock(&lock);
    if (n_idle > 0)
        buffer = idle[--n_idle];
    pthread_mutex_unlock(&lock);
    return buffer ? buffer : must(aligned_alloc(4096, BUFFER_BYTES));
}

void buffer_give(char *buffer)
{
    if (!buffer)
        return;
    pthread_mutex_lock(&lock);
    if (n_idle < KEPT) {
        idle[n_idle++] = buffer;
        buffer = NULL;
    }
    pthread_mutex_unlock(&lock);
    free(buffer);
}
