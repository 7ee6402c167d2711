/* The format of one block file: data, padding to a page, trailer. No policy, no threads.
 *
 * Layout: data [0, len); zeros up to the next multiple of BLOCK_FILE_ALIGN, so that a file mapped
 * by a job ends in zeros as any file does; then the trailer:
 *   char magic[8] "WARMBLK1", u64 xxh3 of the data, u64 block index, u64 object size,
 *   u32 block length, u32 block size, u8 id[16], u16 lengths of bucket, key and ETag,
 *   the three texts, u64 xxh3 of the trailer up to here. Little-endian. */
#ifndef WARMPATH_AGENT_STORE_BLOCK_FILE_H
#define WARMPATH_AGENT_STORE_BLOCK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/version.h"

#define BLOCK_FILE_ALIGN 4096u

/* Where the trailer of a block of `len` bytes begins. */
static inline uint64_t block_file_trailer_at(uint32_t len)
{
    return ((uint64_t)len + BLOCK_FILE_ALIGN - 1) / BLOCK_FILE_ALIGN * BLOCK_FILE_ALIGN;
}

/* Writes all of it there: to memory, or by a thread that may wait for the disk. 0 or -errno. */
int block_file_write(int fd, const void *data, size_t len, uint64_t at);

/* Writes the trailer into `out` (at least BLOCK_FILE_TRAILER_MAX bytes); its length. */
#define BLOCK_FILE_TRAILER_MAX 2048
uint32_t block_file_trailer(const struct version *v, uint64_t index, uint64_t data_hash,
                            uint8_t *out);

/* The checksum of the first `len` bytes. False when the file is shorter or can't be read. */
bool block_file_hash(int fd, uint32_t len, uint64_t *hash);

/* Is the file this block of this version, with `check_data` also its checksum? */
bool block_file_verify(int fd, const struct version *v, uint64_t index, bool check_data);

/* How many blocks the version has of which this file is one, as its trailer says; 0 for no block
 * file. */
uint64_t block_file_blocks(int fd);

#endif
