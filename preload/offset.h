/* Where an open file is: the one offset that all descriptors of a description share.
 *
 * It lives in memory while the description belongs to one process; a sequential read then makes no
 * system call. Before somebody else may have a descriptor of it (fork, exec, spawn) it moves to the
 * kernel for good, as the placeholder's own offset. `fd` is any descriptor of `f`. */
#ifndef WARMPATH_PRELOAD_OFFSET_H
#define WARMPATH_PRELOAD_OFFSET_H

#include "preload/file.h"

off_t offset_tell(struct file *f, int fd);

/* lseek(2), for directories too. The new offset, or -errno. */
off_t offset_seek(struct file *f, int fd, off_t offset, int whence);

/* Takes up to `n` bytes from the current offset for the caller to read: two threads or processes
 * that read at once get different bytes. Returns how many, or -errno; `*at` is where.
 * offset_unclaim() gives back what was not read. */
ssize_t offset_claim(struct file *f, int fd, size_t n, off_t *at);
void offset_unclaim(struct file *f, int fd, off_t at, size_t claimed, ssize_t got);

/* Hands the offset over to the kernel. */
void offset_share(struct file *f, int fd);
/* The placeholder came from elsewhere: the kernel has the offset already. */
void offset_set_shared(struct file *f);
bool offset_is_shared(const struct file *f);

#endif
