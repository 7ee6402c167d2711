/* Pages straight from the kernel. The library uses no malloc where a hook may run inside one. */
#ifndef WARMPATH_PRELOAD_MEMORY_H
#define WARMPATH_PRELOAD_MEMORY_H

#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* mmap by number: the name is one of our hooks. NULL on failure. */
static inline void *memory_map_fd(size_t len, int protection, int flags, int fd, size_t offset)
{
    long at = syscall(SYS_mmap, NULL, len, protection, flags, fd, offset);
    return at == -1 ? NULL : (void *)at;
}

/* Zeroed memory, or NULL. */
static inline void *memory_map(size_t len)
{
    return memory_map_fd(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static inline void memory_unmap(void *at, size_t len)
{
    munmap(at, len);
}

#endif
