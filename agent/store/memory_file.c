#include "agent/store/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/store/block_file.h"

int memory_file_new(void)
{
    int fd = memfd_create("warmpath block", MFD_CLOEXEC);
    return fd < 0 ? -ENOBUFS : fd;
}

int memory_file_reader(int fd)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    return reader < 0 ? -errno : reader;
}

static ssize_t read_cached(int fd, void *data, size_t len, uint64_t at)
{
    struct iovec room = {data, len};
    ssize_t n = preadv2(fd, &room, 1, (off_t)at, RWF_NOWAIT);
    return n < 0 && errno == EOPNOTSUPP ? pread(fd, data, len, (off_t)at) : n;
}

bool memory_file_take_cached(int memory, int fd, uint64_t from, uint64_t to)
{
    char piece[65536];
    while (from < to) {
        uint64_t left = to - from;
        ssize_t n = read_cached(fd, piece, left < sizeof(piece) ? left : sizeof(piece), from);
        if (n <= 0 || block_file_write(memory, piece, (size_t)n, from) < 0)
            return false;
        from += (uint64_t)n;
    }
    return true;
}
