/* The working directory, where it lies under a mapping.
 *
 * The kernel can't be there, so it is put into an empty directory of the same name below
 * RUNTIME/cwd (option_runtime_dir): code that the library does not see then finds nothing rather
 * than the wrong file, and a child process, which inherits that directory, knows from its name
 * where it is. */
#ifndef WARMPATH_PRELOAD_CWD_H
#define WARMPATH_PRELOAD_CWD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool cwd_is_mapped(void);

/* The path as the job sees it, with a terminating zero. Its length, or -errno. Only while mapped.
 */
ssize_t cwd_get(char *out, size_t size);

/* Goes to a directory under a mapping, which the caller has seen to exist. 0 or -errno. */
int cwd_enter(const char *path, size_t len);

/* The path of the kernel's stand-in for a mapped directory; makes it. 0 or -errno. */
int cwd_standin(const char *path, char *out, size_t size);

/* The job went to a directory by way of the kernel: a real one, unless a link led to the local
 * directory that a mapping hides. */
void cwd_settle(void);

/* At start: was the process born in a mapped directory? */
void cwd_inherit(void);

/* A descriptor that stands for an open mapped directory: O_PATH, so that nobody lists it. -errno.
 */
int cwd_open_standin(bool close_on_exec);

/* Before another process gets such a descriptor: from then on its name in /proc tells the mapped
 * directory. Leaves other files alone. */
void cwd_name_standin(int fd, const char *path);

/* The mapped directory that a name in /proc tells, as a part of it; NULL: none. */
const char *cwd_standin_path(const char *real_path);

#endif
