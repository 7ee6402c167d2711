/* The store: block files in a directory, shared by all jobs of a user on this node.
 *
 *   DIR/lock            held by the one agent that uses the store
 *   DIR/boot            the boot in which the store was last used, and since when
 *   DIR/tmp/            blocks being written; emptied at start
 *   DIR/blocks/closed   other nodes are not to be sent here for blocks (NODE_CLOSED_FILE)
 *   DIR/blocks/ab/NAME  NAME = version id in hex, "-", block index in hex (8 digits)
 *
 * A block file is the data, zeros up to the next multiple of 4096, and a trailer with its
 * identity and checksum (XXH3). It is published by rename, never changed, and leaves by unlink:
 * readers hold no lock and what they mapped stays good. Last use is the file's access time.
 *
 * After a reboot what was published may not be what is on disk (a rename can outlive the data),
 * so each block is then verified before its first use; within one boot the page cache is coherent.
 *
 * The disk may be stalled at any time (agent/store/disk.h). Nothing here waits for it for longer
 * than DISK_PATIENCE_MS: a block is then not found. What a stalled, full or failing disk does not
 * take goes to memory, where it is found, too, as long as STORE_MEMORY_MAX allows
 * (agent/store/memory.h); from there it goes to the disk as soon as that takes it, and so does what
 * comes while the disk is slower (agent/store/behind.h). A full disk is tried again every second,
 * and as soon as blocks were evicted, which a full disk asks for.
 *
 * Threads: get, begin, write, commit, abort may be called from any thread; one writer by one
 * thread at a time. */
#ifndef WARMPATH_AGENT_STORE_STORE_H
#define WARMPATH_AGENT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/version.h"

/* Blocks in memory take no more, but for those under way that somebody waits for. */
#define STORE_MEMORY_MAX (256ull << 20)
/* Of that, for blocks that come ahead of their readers, those under way included. */
#define STORE_MEMORY_AHEAD_MAX (STORE_MEMORY_MAX / 2)
/* Up to so much of a block is written to memory first, while all that is there is below the second:
 * that spares a random reader two hand-overs to the disk's threads. */
#define STORE_FEW_BYTES      (256u << 10)
#define STORE_FEW_MOST_BYTES (STORE_MEMORY_MAX / 8)

struct store;
struct store_writer;

/* A block as its file's name tells it. */
struct store_place {
    struct version_id version;
    uint64_t index;
};

/* Is told what the store publishes and drops, by whichever thread does so. */
struct store_watcher {
    void (*published)(void *user, const struct version *v, uint64_t index);
    /* Complete, but in memory, where others don't get it: the disk takes nothing at present,
     * or had not got it yet when memory needed the room. */
    void (*kept)(void *user, const struct version *v, uint64_t index);
    /* Right before it is evicted, by the store's own thread, which nobody waits for, so that this
     * `may_wait`; or when one that was bad is gone. */
    void (*leaving)(void *user, const struct store_place *places, size_t n, bool may_wait);
    /* After store_tell_all_soon(): this is in its place, one of so many blocks of its version.
     * Those of a version come one behind the other, in order. False: not now; it is told again
     * after store_tell_more_soon(). */
    bool (*found)(void *user, const struct store_place *place, uint64_t blocks);
    void *user;
};

struct store_numbers {
    uint64_t used_bytes, limit_bytes;
    uint64_t evicted_blocks, bad_blocks;
    bool emptying;         /* store_evict_all_soon() is not done yet */
    bool stalled;          /* the disk doesn't answer: blocks go to memory */
    bool full;             /* it took no more lately: they do, too */
    bool behind;           /* it is slower than what comes: they do first */
    uint64_t memory_bytes; /* of blocks in memory; what only jobs still hold is not known */
    bool counted;          /* false while the store found at start is still being counted */
};

/* NULL with a sentence in `why` that names the directory and what to do. */
struct store *store_open(const char *dir, char *why, size_t why_size);
void store_close(struct store *s);
const char *store_dir(const struct store *s);

/* NULL: nobody any more; returns when the one before is not being told anything. Copied. */
void store_watch(struct store *s, const struct store_watcher *w);

/* "blocks/ab/NAME", a block's path below the store's directory. */
#define STORE_NAME_MAX 80 /* with room */
void store_block_name(const struct version *v, uint64_t index, char out[STORE_NAME_MAX]);

/* A read-only descriptor of the block, owned by the caller, or -ENOENT (also when the disk does not
 * answer). */
int store_get(struct store *s, const struct version *v, uint64_t index);
bool store_has(struct store *s, const struct version *v, uint64_t index);
/* Is it a file in its place, so that other nodes can get it? Blocks in memory are not; those that
 * are being evicted are no more. */
bool store_offers(struct store *s, const struct version *v, uint64_t index);

/* Blocks in memory. A job should not map such a block only to read it: that pins the memory. */
bool store_keeps_in_memory(struct store *s, const struct store_place *place);
/* Is this descriptor one of such a block? Also where the block is not kept (any more). */
bool store_is_memory(const struct store *s, int fd);
/* Its reader has it already, if it is in memory. */
void store_note_used(struct store *s, const struct store_place *place);
/* How many bytes may be under way ahead of readers? Any number, unless blocks go to memory. */
uint64_t store_room_ahead(struct store *s);

/* Are other nodes not to be sent here for blocks? What was last seen, when the disk does not
 * answer. */
bool store_is_closed(struct store *s);
/* Did somebody remove the store's directory? It takes no block any more. Does not wait for the
 * disk. */
bool store_is_removed(const struct store *s);

/* The block will be read soon: has what isn't in the page cache brought there, by threads of the
 * disk's. Never waits. */
void store_read_ahead(struct store *s, int fd);
/* The same of one that may be stored, which is verified where that is needed. */
void store_read_block_ahead(struct store *s, const struct version *v, uint64_t index);

/* Starts a block. Never fails for want of disk: see store_commit(). Touches no disk itself: the
 * first store_write() or store_reader() makes the file. */
struct store_writer *store_begin(struct store *s, const struct version *v, uint64_t index);
/* All of it comes now, in large pieces: it goes to the disk from the start. A file that is made
 * after this is made with its room on the disk, which takes a third off what writing costs, and
 * says at once when the disk is full. Few pieces that are in memory move there. */
void store_expect_all(struct store_writer *w);
/* Writes a piece of it, in any order; a piece may come again with the same bytes. 0 or -errno;
 * -ENOBUFS when there is neither disk nor memory. `data` may have to stay where it is for longer
 * than the call (agent/store/buffer.h). */
int store_write(struct store_writer *w, uint32_t offset, const void *data, size_t len);
/* A read-only descriptor, the caller's, of what was written so far; it goes on to show what is
 * written later until store_in_memory() changes: then a new one is needed for that. -errno. */
int store_reader(struct store_writer *w);
/* Is it in memory: few pieces, or what the disk did not take? */
bool store_in_memory(const struct store_writer *w);
/* Publishes a block that was written completely and frees the writer. `hash` is the XXH3 of its
 * data, NULL to have it computed. Returns a read-only descriptor of it, owned by the caller. When
 * the disk is full or fails, the block is kept in memory and not published: `*published` is false;
 * likewise when the disk is stalled: it may be published later then. -errno when no descriptor can
 * be had. */
int store_commit(struct store_writer *w, const uint64_t *hash, bool *published);
/* Closes `reader`, too, unless it is -1: the last one to close a file that was removed waits for
 * the disk. */
void store_abort(struct store_writer *w, int reader);

/* Has the store's own thread remove all blocks; store_numbers() tells when it is done. */
void store_evict_all_soon(struct store *s);

/* Has the store's own thread tell the watcher what there is. */
void store_tell_all_soon(struct store *s);
/* The watcher has room again, after it had none for what was found. */
void store_tell_more_soon(struct store *s);

/* Removes all blocks. Bytes freed. Slow: not on the loop's thread. */
uint64_t store_evict_all(struct store *s);

/* To be called every STORE_WATCH_MS: gives up waiting for a disk that doesn't answer, and lets go
 * of what is in memory unused. */
#define STORE_WATCH_MS 250
void store_watch_disk(struct store *s);

void store_numbers(struct store *s, struct store_numbers *out);

#endif
