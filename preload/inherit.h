/* Mapped files that a process was born with: `cat < /data/file`, subprocess with stdin=….
 *
 * The kernel hands placeholders on, whoever made the child and whatever environment it has; their
 * names tell what they stand for, their offset is where the parent was. */
#ifndef WARMPATH_PRELOAD_INHERIT_H
#define WARMPATH_PRELOAD_INHERIT_H

#include <stdbool.h>

/* At start: takes over every placeholder among the process' descriptors. */
void inherit_files(void);

/* Is this descriptor, in the kernel's eyes, a placeholder? A system call. */
bool inherit_is_placeholder(int fd);

#endif
