/* Mapped files that are handed to a program without this library: linked statically, setuid, for
 * another libc or machine, or started with an environment that doesn't name the library. Such a
 * program would find placeholders, which it can't read; it gets real files with the same content
 * at the same numbers and offsets instead. */
#ifndef WARMPATH_PRELOAD_HANDOVER_H
#define WARMPATH_PRELOAD_HANDOVER_H

#include <stdbool.h>

/* At start: remembers how the library came into this process. */
void handover_init(void);

/* Will the program at this real path, started with that environment, load the library and know the
 * mappings? True also where that can't be told. */
bool handover_is_served(const char *path, char *const env[]);

/* Replaces every placeholder that stays open over exec, if the program isn't served. Called in the
 * process that will execute it, or, before libc makes a child by itself, in the parent, which then
 * goes on with the real files. Safe in a vfork child. */
void handover_before(const char *path, char *const env[]);

/* Replaces this one, whether it stays open or not. */
void handover_descriptor(int fd);

#endif
