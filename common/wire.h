/* The messages between library, tool and agent.
 *
 * One SOCK_SEQPACKET message is one request or one reply; a connection carries one request at a
 * time. Descriptors travel beside a reply (SCM_RIGHTS). Both ends run on one machine: numbers are
 * in its byte order. Every request names all it needs, so that an agent that was just started
 * answers like the one before it; only HELLO (who the job is) comes once a connection, first.
 *
 * Bodies, in order of their fields:
 *
 *   HELLO  → u32 version, u32 pid, u32 flags, i64 ttl_s, str job, u16 n, n × str "AWS_X=…"
 *          ← u32 block_bytes, str agent version                   fds: [counters page]
 *   STAT   → name
 *          ← status, u8 kind, u64 size, i64 mtime
 *   OPEN   → name, u8 flags
 *          ← status, u8 kind, u64 size, i64 mtime, str etag, u32 block_bytes, part of block 0,
 *            u32 fresh_ms
 *                                                                 fds: placeholder, [block 0]
 *   BLOCKS → version, u64 first, u32 at_most, u32 from, u32 to, u32 at, u8 flags
 *          ← status, u32 n, part of the first block               fds: n blocks
 *   HELD   → version, u64 first, u32 among
 *          ← status, u64 next, u32 n, n × u64 index               fds: n blocks
 *   WANT   → version, u64 from, u64 to, u8 wanted                 (no reply)
 *   LIST   → name (prefix), str token
 *          ← status, str next token, u32 n, n × entry
 *   STATUS → ← JSON text, the whole body
 *   JOB    → ← counters of the job, raw
 *   STOP, EVICT → ← status
 *
 * with name = str bucket, str key, u8 style, str access (the mapping's options, see map.h);
 * version = name, str etag, u64 size, u32 block_bytes;
 * status = i32 errno (0 or negative), str why; entry = str name, u8 kind, u64 size, i64 mtime;
 * part = u32 from, u32 to, u8 complete: what may be read from that block's descriptor. Only a
 * complete block may be mapped. BLOCKS names the bytes [from, to) of the first block that must be
 * there for the reply, the byte in it that the job is after, and in its flags whether the job holds
 * a part of that block already, and how it said that it reads. HELD fetches nothing: it gives the
 * stored ones among [first, next); `next` is where to go on asking. WANT is a hint: the job will
 * soon read these bytes of the object, or (wanted 0) will not after all. It is the one message
 * without a reply, so it costs the job nothing but the sending; what is wrong with one is nobody's
 * business. */
#ifndef WARMPATH_WIRE_H
#define WARMPATH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WIRE_VERSION   6
#define WIRE_MAX_BYTES (96 * 1024)
#define WIRE_MAX_FDS   16
#define WIRE_KEY_MAX   1024
#define WIRE_ETAG_MAX  130

enum wire_op {
    WIRE_HELLO = 1,
    WIRE_STAT,
    WIRE_OPEN,
    WIRE_BLOCKS,
    WIRE_LIST,
    WIRE_STATUS,
    WIRE_JOB,
    WIRE_STOP,
    WIRE_EVICT,
    WIRE_HELD,
    WIRE_WANT,
};

enum wire_kind { WIRE_FILE = 1, WIRE_DIR = 2 };

#define WIRE_HELLO_WANT_COUNTERS 1u
#define WIRE_HELLO_TOOL          2u /* not a job: does not keep the agent alive */
#define WIRE_OPEN_DIRECTORY      1u /* the caller expects a directory */
#define WIRE_OPEN_NO_BLOCK       2u /* don't send block 0 */
#define WIRE_BLOCKS_GOES_ON      1u /* the job holds a part of the first block already */
#define WIRE_BLOCKS_SEQUENTIAL   2u /* it said that it reads in sequence */
#define WIRE_BLOCKS_RANDOM       4u /* it said that it doesn't: fetch nothing ahead */
#define WIRE_BLOCKS_MAPS         8u /* it maps them, whole, wherever they lie */

/* A cursor over a message. Reading past the end or writing past the room sets `bad` and
 * yields zeros; check it once, at the end. Strings are borrowed from the buffer. */
struct wire_buf {
    uint8_t *at;
    uint8_t *end;
    bool bad;
};

struct wire_str {
    const char *at; /* not terminated */
    size_t len;
};

static inline struct wire_buf wire_buf(void *data, size_t len)
{
    return (struct wire_buf){.at = data, .end = (uint8_t *)data + len};
}

void wire_put(struct wire_buf *b, const void *data, size_t len);
void wire_put_u8(struct wire_buf *b, uint8_t v);
void wire_put_u16(struct wire_buf *b, uint16_t v);
void wire_put_u32(struct wire_buf *b, uint32_t v);
void wire_put_u64(struct wire_buf *b, uint64_t v);
void wire_put_str(struct wire_buf *b, const char *text, size_t len); /* at most 65535 bytes */

uint8_t wire_get_u8(struct wire_buf *b);
uint16_t wire_get_u16(struct wire_buf *b);
uint32_t wire_get_u32(struct wire_buf *b);
uint64_t wire_get_u64(struct wire_buf *b);
struct wire_str wire_get_str(struct wire_buf *b);
/* Copies a string with its terminating zero; bad when it does not fit or holds a zero byte. */
size_t wire_get_text(struct wire_buf *b, char *out, size_t size);

/* An object's or prefix's name as requests carry it. */
struct wire_name {
    struct wire_str bucket, key;
    uint8_t style; /* enum map_style */
    struct wire_str access;
};
void wire_put_name(struct wire_buf *b, const struct wire_name *n);
struct wire_name wire_get_name(struct wire_buf *b);

/* Sends one message with up to WIRE_MAX_FDS descriptors. 0 or -errno. Never raises SIGPIPE. */
int wire_send(int sock, const void *data, size_t len, const int *fds, int n_fds);

/* The same without descriptors, and without waiting for room: -EAGAIN. */
int wire_send_now(int sock, const void *data, size_t len);

/* Receives one message. Its length (0: the other side hung up), or -errno (-EMFILE: its
 * descriptors could not be had). Descriptors arrive
 * close-on-exec, at the lowest free numbers, in order; *n_fds holds room in, count out. Any beyond
 * the room are closed. */
ssize_t wire_receive(int sock, void *data, size_t size, int *fds, int *n_fds);

/* The same for a reply that is likely to come within microseconds: looks for it a while before it
 * sleeps. A processor that went idle takes longer to wake than the agent takes to answer (measured
 * in a virtual machine: 63 against 28 us for an open, read and close of a cached file). */
#define WIRE_SPIN_NS 50000
ssize_t wire_receive_soon(int sock, void *data, size_t size, int *fds, int *n_fds);

#endif
