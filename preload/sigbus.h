/* SIGBUS, shared with the job: a touch of what a lazy map has not got yet is ours, every other is
 * the job's.
 *
 * The kernel knows our handler alone. What the job sets is kept here, is what it reads back, and is
 * what is called (or happens) when a SIGBUS is none of ours. The signal must not be blocked while
 * there may be lazy maps, as one that a touch raises would then end the process: from the start,
 * masks that the job sets lose SIGBUS on their way to the kernel, and have it when it asks. */
#ifndef WARMPATH_PRELOAD_SIGBUS_H
#define WARMPATH_PRELOAD_SIGBUS_H

#include <signal.h>
#include <stdbool.h>

/* At start, where something is mapped. */
void sigbus_init(void);

/* Before the first lazy map. False: it can't be had, and no map may be lazy. */
bool sigbus_install(void);

/* sigaction(SIGBUS, …), as the job sees it. */
int sigbus_action(const struct sigaction *action, struct sigaction *old);

typedef int sigbus_mask_function(int how, const sigset_t *set, sigset_t *old);
/* pthread_sigmask() or sigprocmask(), by libc's own function. */
int sigbus_mask(sigbus_mask_function *real_function, int how, const sigset_t *set, sigset_t *old);

#endif
