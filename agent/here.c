#include "agent/here.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/blocks.h"
#include "common/cleanup.h"

static size_t read_now(int fd, void *data, size_t len, uint64_t at)
{
    struct iovec room = {data, len};
    ssize_t got = preadv2(fd, &room, 1, (off_t)at, RWF_NOWAIT);
    if (got < 0 && errno != EAGAIN) /* the file system can't say: it is one in memory */
        got = pread(fd, data, len, (off_t)at);
    return got > 0 ? (size_t)got : 0;
}

static size_t read_block(struct agent *a, const struct version *v, uint64_t index, uint32_t at,
                         char *data, size_t len)
{
    struct span ready = {0, version_block_len(v, index)};
    CLEANUP_CLOSE int fd = store_get(a->store, v, index);
    if (fd < 0)
        fd = blocks_peek(v, index, at, &ready);
    size_t here = fd >= 0 ? ready.to - at : 0;
    return here > 0 ? read_now(fd, data, here < len ? here : len, at) : 0;
}

size_t here_read(struct agent *a, const struct version *v, uint64_t at, void *data, size_t len)
{
    size_t done = 0, got = 1;
    while (got > 0 && done < len && at + done < v->size_bytes) {
        uint64_t index = (at + done) / v->block_bytes;
        uint32_t inside = (uint32_t)((at + done) % v->block_bytes);
        got = read_block(a, v, index, inside, (char *)data + done, len - done);
        done += got;
    }
    return done;
}
