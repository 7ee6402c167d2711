#include "agent/store/block_file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/xxh3.h"
#include "common/wire.h"

static const char magic[8] = {'W', 'A', 'R', 'M', 'B', 'L', 'K', '1'};

int block_file_write(int fd, const void *data, size_t len, uint64_t at)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

uint32_t block_file_trailer(const struct version *v, uint64_t index, uint64_t data_hash,
                            uint8_t *out)
{
    struct wire_buf b = wire_buf(out, BLOCK_FILE_TRAILER_MAX);
    wire_put(&b, magic, sizeof(magic));
    wire_put_u64(&b, data_hash);
    wire_put_u64(&b, index);
    wire_put_u64(&b, v->size_bytes);
    wire_put_u32(&b, version_block_len(v, index));
    wire_put_u32(&b, v->block_bytes);
    wire_put(&b, v->id.bytes, sizeof(v->id.bytes));
    wire_put_str(&b, v->bucket, strlen(v->bucket));
    wire_put_str(&b, v->key, strlen(v->key));
    wire_put_str(&b, v->etag, strlen(v->etag));
    uint32_t len = (uint32_t)(b.at - out);
    wire_put_u64(&b, XXH3_64bits(out, len));
    return len + (uint32_t)sizeof(uint64_t);
}

bool block_file_hash(int fd, uint32_t len, uint64_t *hash)
{
    if (len == 0) {
        *hash = XXH3_64bits("", 0);
        return true;
    }
    /* By pread, not by a mapping: a disk that fails to read must not raise SIGBUS here. */
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return false;
    XXH3_64bits_reset(state);
    char piece[65536];
    uint32_t done = 0;
    while (done < len) {
        size_t want = len - done < sizeof(piece) ? len - done : sizeof(piece);
        ssize_t got = pread(fd, piece, want, done);
        if (got <= 0)
            break;
        XXH3_64bits_update(state, piece, (size_t)got);
        done += (uint32_t)got;
    }
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return done == len;
}

uint64_t block_file_blocks(int fd)
{
    uint8_t head[sizeof(magic) + 3 * sizeof(uint64_t) + 2 * sizeof(uint32_t)];
    struct stat st;
    uint64_t size;
    uint32_t block_bytes;
    if (fstat(fd, &st) < 0 || st.st_size == 0)
        return 0;
    off_t at = (st.st_size - 1) / BLOCK_FILE_ALIGN * BLOCK_FILE_ALIGN;
    if (pread(fd, head, sizeof(head), at) != sizeof(head) ||
        memcmp(head, magic, sizeof(magic)) != 0)
        return 0;
    memcpy(&size, head + sizeof(magic) + 2 * sizeof(uint64_t), sizeof(size));
    memcpy(&block_bytes, head + sizeof(head) - sizeof(block_bytes), sizeof(block_bytes));
    return block_bytes ? (size + block_bytes - 1) / block_bytes : 0;
}

bool block_file_verify(int fd, const struct version *v, uint64_t index, bool check_data)
{
    uint8_t found[BLOCK_FILE_TRAILER_MAX], expected[BLOCK_FILE_TRAILER_MAX];
    uint32_t len = version_block_len(v, index);
    ssize_t got = pread(fd, found, sizeof(found), (off_t)block_file_trailer_at(len));
    if (got < (ssize_t)(sizeof(magic) + sizeof(uint64_t)))
        return false;
    uint64_t hash;
    memcpy(&hash, found + sizeof(magic), sizeof(hash));
    /* The trailer of the block that we want, with the checksum found, must be the trailer found. */
    uint32_t expected_len = block_file_trailer(v, index, hash, expected);
    if (got != (ssize_t)expected_len || memcmp(found, expected, expected_len) != 0)
        return false;
    uint64_t actual;
    return !check_data || (block_file_hash(fd, len, &actual) && actual == hash);
}
