/* The library's own descriptors (connections, held blocks): out of the way of the numbers that the
 * job gets, and not the job's to close. */
#ifndef WARMPATH_PRELOAD_OWNFD_H
#define WARMPATH_PRELOAD_OWNFD_H

#include <stdbool.h>

/* Moves a descriptor to a high number, close-on-exec, and remembers it as ours. The number, or the
 * old one where there is no higher. */
int ownfd_take(int fd);
/* Another descriptor of the same description, ours; -1 where there is no higher number. */
int ownfd_dup(int fd);
void ownfd_close(int fd);
/* Closes all of them. */
void ownfd_close_all(void);

bool ownfd_is(int fd);
/* The lowest of ours that is not below `fd`, or -1. */
int ownfd_next(int fd);

/* May one more block descriptor be held? */
bool ownfd_has_room(void);

#endif
