/* Buffers that transfers gather pieces in, kept for the next one. Any thread.
 *
 * What is written to a file in large pieces lies in large folios of the page cache, and is read
 * twice as fast as what was written in small ones (measured on ext4). */
#ifndef WARMPATH_AGENT_STORE_BUFFER_H
#define WARMPATH_AGENT_STORE_BUFFER_H

#include <stddef.h>

#define BUFFER_BYTES (1u << 20)

char *buffer_take(void);
void buffer_give(char *buffer);

/* Somebody reads from these bytes after their owner may have given the buffer back: it is not used
 * for anything else until it is released. Bytes that aren't in a buffer of these are nobody's
 * concern. `data` is where the buffer begins. */
void buffer_hold(const void *data);
void buffer_release(const void *data);

struct buffer_numbers {
    size_t bytes, peak_bytes; /* in use, and kept */
};
void buffer_numbers(struct buffer_numbers *out);

#endif
