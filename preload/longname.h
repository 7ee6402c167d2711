/* Objects whose name is too long for their placeholder's: the placeholder then carries a hash, and
 * what it stands for is noted in RUNTIME/names (option_runtime_dir()), so that another process can
 * take the descriptor over all the same. A note is written before a descriptor may reach somebody
 * else, is the same for every process, and stays. */
#ifndef WARMPATH_PRELOAD_LONGNAME_H
#define WARMPATH_PRELOAD_LONGNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/object.h"

#define LONGNAME_MAX (256 + WIRE_KEY_MAX) /* BUCKET/KEY */

/* Notes the object's name if its placeholder can't hold it. A failure shows later: the other
 * process' reads fail with EBADF. Safe in a vfork child. */
void longname_note(const struct object *o);

/* BUCKET/KEY of that hash, as the placeholder has it. False: nobody noted it here. */
bool longname_find(const char *hash, char out[LONGNAME_MAX + 1]);

#endif
