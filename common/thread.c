#include "common/thread.h"

#include <sched.h>
#include <signal.h>

#define CARRIERS_LEAST 4
#define CARRIERS_MOST  16

int thread_start_deaf(pthread_t *thread, const char *name, void *(*run)(void *user), void *user)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        pthread_setname_np(*thread, name);
    return error;
}

int thread_carriers(void)
{
    cpu_set_t usable;
    int quarter = sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) / 4 : 0;
    return quarter < CARRIERS_LEAST  ? CARRIERS_LEAST
           : quarter > CARRIERS_MOST ? CARRIERS_MOST
                                     : quarter;
}
