/* Threads beside the program's main one. For the agent and what it is made of; the library has
 * none. */
#ifndef WARMPATH_THREAD_H
#define WARMPATH_THREAD_H

#include <pthread.h>

/* pthread_create() with every signal blocked: signals are for the main thread, and what writes to a
 * TLS connection would raise SIGPIPE. `name` (at most 15 bytes) is what top and perf show. 0 or a
 * positive errno. */
int thread_start_deaf(pthread_t *thread, const char *name, void *(*run)(void *user), void *user);

/* How many threads should carry data, where each does all that there is to do for its share: a
 * quarter of the processors that this process may use, but 4 to 16. Fewer would stand still with
 * processors idle, as each waits for the disk now and then: on two processors, four instead of two
 * made cold reads 4 % faster and reads from a peer 7 %; eight or sixteen made no difference. */
int thread_carriers(void);

#endif
