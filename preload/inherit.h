/* Mapped files that came from another process: `cat < /data/file`, subprocess with stdin=…,
 * descriptors passed through a socket.
 *
 * The kernel hands placeholders on, whoever made the child and whatever environment it has; their
 * names tell what they stand for, their offset is where the other process was. */
#ifndef WARMPATH_PRELOAD_INHERIT_H
#define WARMPATH_PRELOAD_INHERIT_H

#include <stdbool.h>

#include "preload/file.h"

/* At start: takes over every placeholder among the process' descriptors. (The stream for standard
 * input follows in the constructor.) */
void inherit_files(void);

/* Takes over a descriptor that was just received, if it is a placeholder. */
void inherit_descriptor(int fd);

/* What a descriptor stands for, for one call: a reference, not in the table. NULL: nothing mapped.
 */
struct file *inherit_unlisted(int fd);

/* The other side: before somebody else may get a descriptor of this file. A vfork child has its
 * parent's table, but may have another file at the number by now: then nothing is done. */
void inherit_prepare(struct file *f, int fd);

/* What a descriptor's name in /proc, of any process, stands for. False: it is no placeholder, or
 * can't be seen here. */
bool inherit_target(const char *name, struct target *t);

/* Is this descriptor, in the kernel's eyes, one of this file? */
bool inherit_is_of(int fd, const struct file *f);

/* Calls `visit` for every placeholder among the process' descriptors, as the kernel sees them, with
 * its name, which `visit` may edit. */
void inherit_each(void (*visit)(int fd, char *link, void *user), void *user);

/* What a placeholder of that name stands for: one reference, not in the table. NULL: no mapping
 * shows it here, or its name is too long and nobody noted it here. */
struct file *inherit_file(char *link);

#endif
