#include "agent/peer_block.h"

#include <errno.h>
#include <string.h>

#include "agent/store/block_file.h"
#include "agent/store/buffer.h"
#include "agent/store/xxh3.h"
#include "common/alloc.h"

struct peer_block {
    struct version version;
    uint64_t index;
    uint32_t len;
    struct store_writer *writer;
    XXH3_state_t *hash;
    char *buffer;     /* what is not written yet */
    uint32_t written; /* bytes of the data that are */
    uint32_t fill;
    uint8_t tail[BLOCK_FILE_ALIGN + BLOCK_FILE_TRAILER_MAX]; /* padding and trailer */
    uint32_t tail_len;
};

uint64_t peer_block_most_bytes(const struct version *v, uint64_t index)
{
    return block_file_trailer_at(version_block_len(v, index)) + BLOCK_FILE_TRAILER_MAX;
}

struct peer_block *peer_block_begin(struct store *s, const struct version *v, uint64_t index)
{
    struct peer_block *b = must_calloc(1, sizeof(*b));
    b->version = *v;
    b->index = index;
    b->len = version_block_len(v, index);
    b->writer = store_begin(s, v, index);
    store_expect_all(b->writer);
    b->hash = must(XXH3_createState());
    XXH3_64bits_reset(b->hash);
    return b;
}

static void peer_block_free(struct peer_block *b)
{
    buffer_give(b->buffer);
    XXH3_freeState(b->hash);
    free(b);
}

void peer_block_drop(struct peer_block *b)
{
    store_abort(b->writer, -1);
    peer_block_free(b);
}

static bool flush(struct peer_block *b)
{
    if (store_write(b->writer, b->written, b->buffer, b->fill) < 0)
        return false;
    b->written += b->fill;
    b->fill = 0;
    return true;
}

/* As much of it as is data and fits into the buffer; -1 when it can't be kept. */
static ssize_t take_data(struct peer_block *b, const char *data, size_t len)
{
    size_t rest = b->len - b->written - b->fill, room = BUFFER_BYTES - b->fill;
    size_t n = len < rest ? len : rest;
    if (n > room)
        n = room;
    if (!b->buffer)
        b->buffer = buffer_take();
    memcpy(b->buffer + b->fill, data, n);
    XXH3_64bits_update(b->hash, data, n); /* while the processor's cache has it */
    b->fill += (uint32_t)n;
    bool is_due = n == room || n == rest;
    return is_due && !flush(b) ? -1 : (ssize_t)n;
}

bool peer_block_take(struct peer_block *b, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0 && b->written + b->fill < b->len) {
        ssize_t n = take_data(b, p, len);
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    if (len > sizeof(b->tail) - b->tail_len)
        return false;
    memcpy(b->tail + b->tail_len, p, len);
    b->tail_len += (uint32_t)len;
    return true;
}

/* The trailer of the block that we want, with the checksum of what came, must be the one that came.
 */
static bool is_right(const struct peer_block *b, uint64_t hash)
{
    uint8_t expected[BLOCK_FILE_TRAILER_MAX];
    uint32_t padding = (uint32_t)(block_file_trailer_at(b->len) - b->len);
    uint32_t len = block_file_trailer(&b->version, b->index, hash, expected);
    return b->written == b->len && b->tail_len == padding + len &&
           memcmp(b->tail + padding, expected, len) == 0;
}

int peer_block_end(struct peer_block *b)
{
    uint64_t hash = XXH3_64bits_digest(b->hash);
    bool published;
    if (!is_right(b, hash)) {
        peer_block_drop(b);
        return -EBADMSG;
    }
    int fd = store_commit(b->writer, &hash, &published);
    peer_block_free(b);
    return fd;
}
