/* Files in memory, for blocks that the disk hasn't, or not yet. Descriptors are the caller's. */
#ifndef WARMPATH_AGENT_STORE_MEMORY_FILE_H
#define WARMPATH_AGENT_STORE_MEMORY_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* An empty one, for reading and writing; -ENOBUFS. */
int memory_file_new(void);
/* The same file, only to be read: for others. -errno. */
int memory_file_reader(int fd);
/* Copies bytes [from, to) of a file of the disk's, as far as its page cache has them where that can
 * be asked for: the disk may not answer. False: not all. */
bool memory_file_take_cached(int memory, int fd, uint64_t from, uint64_t to);

#endif
