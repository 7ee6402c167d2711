/* Real copies of mapped objects for what needs a path that the kernel knows: programs that are
 * executed, libraries that are loaded.
 *
 * They lie at DIR/ID/PATH (DIR: option_copies_dir()), where PATH is the mapped path
 * and ID names what the mapping stands for. So programs and libraries that look for others beside
 * them
 * ($ORIGIN) look in the right place, and the mapped path can be told from the real one. A copy is
 * made under another name and renamed, carries its version in its times, and is made again when
 * the object was replaced. The agent empties the directory when it ends. */
#ifndef WARMPATH_PRELOAD_MIRROR_H
#define WARMPATH_PRELOAD_MIRROR_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/file.h"

#define MIRROR_PATH_MAX (PATH_MAX + 512)

/* At start: where copies go, while the environment is as the job was started with. */
void mirror_init(void);

/* The path of a real file with the object's content as S3 has it now. 0 or -errno (the job's log
 * was told why). Safe in a vfork child. */
int mirror_get(const struct target *t, char *out, size_t size);
/* The same for an object that is open. */
int mirror_file(struct file *f, char *out, size_t size);

/* Where a mapped path's copy lies, whether it was made or not. False when there is no room for
 * copies at all. */
bool mirror_path(const struct target *t, char *out, size_t size);

/* The mapped path in a copy's path, as a part of it; NULL when it is no copy's. */
const char *mirror_origin(const char *real_path);
/* What /proc/self/exe should say: the mapped path of a copy (also of one that was replaced since),
 * else the path itself. Edits in place. */
const char *mirror_shown(char *real_path);

#endif
