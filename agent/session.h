/* The connections of jobs and tools: reads requests, has them done, replies. Loop thread only. */
#ifndef WARMPATH_AGENT_SESSION_H
#define WARMPATH_AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/agent.h"

/* Accepts connections on a listening SOCK_SEQPACKET socket (taken over). 0 or -errno. */
int sessions_start(struct agent *a, int listen_fd);

/* Every now and then: accepts again after descriptors had run out. */
void sessions_tick(void);

/* Hangs up on everybody: the agent ends. */
void sessions_end(void);

/* Connections of jobs (not of tools). */
size_t sessions_count(void);

#endif
