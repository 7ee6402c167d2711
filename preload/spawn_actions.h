/* What posix_spawn() is asked to do in the child, where it names something mapped: libc and the
 * kernel do it there, and see neither the paths nor the directories. */
#ifndef WARMPATH_PRELOAD_SPAWN_ACTIONS_H
#define WARMPATH_PRELOAD_SPAWN_ACTIONS_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>

struct spawn_actions {
    const posix_spawn_file_actions_t *use; /* what libc gets */
    posix_spawn_file_actions_t own;
    struct spawn_room *room;
    size_t room_bytes;
};

/* Opens mapped files here and has them put in place there; turns mapped directories into their
 * stand-ins. `served` is false for a program that does not load the library: then mapped files that
 * are put in place become real ones, in this process too (handover.h). 0 or -errno, as the child
 * would have failed. Always followed by spawn_actions_end(). */
int spawn_actions_begin(struct spawn_actions *s, const posix_spawn_file_actions_t *given,
                        bool served);
void spawn_actions_end(struct spawn_actions *s);

#endif
