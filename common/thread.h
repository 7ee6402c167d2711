/* Threads beside the program's main one. For the agent and what it is made of; the library has
 * none. */
#ifndef WARMPATH_THREAD_H
#define WARMPATH_THREAD_H

#include <pthread.h>

/* pthread_create() with every signal blocked: signals are for the main thread, and what writes to a
 * TLS connection would raise SIGPIPE. `name` (at most 15 bytes) is what top and perf show. 0 or a
 * positive errno. */
int thread_start_deaf(pthread_t *thread, const char *name, void *(*run)(void *user), void *user);

#endif
