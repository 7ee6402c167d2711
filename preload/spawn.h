/* Starting the agent from inside a job. */
#ifndef WARMPATH_PRELOAD_SPAWN_H
#define WARMPATH_PRELOAD_SPAWN_H

#include <stddef.h>

/* Starts the agent unless somebody else just did, once for all processes of the user, and waits
 * until it answers on `socket_path`. The job gets no child, no signal, and lends it no descriptor.
 * 0, or -errno with a sentence. */
int spawn_agent(const char *socket_path, char *why, size_t why_size);

#endif
