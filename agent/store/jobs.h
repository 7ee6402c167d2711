/* The files that become blocks: what the store has the disk's threads do with them
 * (agent/store/disk.h). For store*.c alone.
 *
 * All of them give -EBUSY when the disk is stalled and nothing was done, -ETIMEDOUT when it became
 * so meanwhile: what is under way then ends by itself, once the disk comes back. Any thread. */
#ifndef WARMPATH_AGENT_STORE_JOBS_H
#define WARMPATH_AGENT_STORE_JOBS_H

#include "agent/store/block_file.h"
#include "agent/store/store.h"

/* A name for a file below tmp/ that no other has. */
#define STORE_TMP_NAME_MAX 64
void store_tmp_name(char out[STORE_TMP_NAME_MAX]);

/* Is there a file of this name (shorter than STORE_TMP_NAME_MAX) below the store's directory? 0,
 * -ENOENT, or another -errno when that can't be told. */
int store_job_exists(struct store *s, const char *name);

/* Makes a file for a block, with room for so many bytes (0: none yet) where the file system can
 * give it; its length stays 0. The descriptor, or -errno. */
int store_job_create(struct store *s, const char *tmp_name, size_t room_bytes);

/* Writes to it. After -ETIMEDOUT the file must not be used any more but to read what was written
 * before: it goes once the disk is back. `data` may change then, but must stay (buffer_hold). */
int store_job_write(struct store *s, int fd, const char *tmp_name, const void *data, size_t len,
                    uint64_t at);

/* Copies bytes [from, to) between it and a memory file, either way. After -ETIMEDOUT
 * what is copied to may still be written to. */
int store_job_copy(struct store *s, int from_fd, int to_fd, uint64_t from, uint64_t to);

/* Opens a block's file, verifies it where that is needed, and reads it ahead; nobody waits. */
void store_verify_ahead(struct store *s, const struct version *v, uint64_t index);

/* For a job's work: makes a file for a block, for reading and writing. The descriptor, or -errno.
 */
int store_job_make_file(struct store *s, const char *tmp_name);

struct store_publish {
    struct version version;
    uint64_t index;
    int64_t accounted; /* bytes of disk booked so far */
    char tmp_name[STORE_TMP_NAME_MAX];
    uint32_t trailer_len;
    uint8_t trailer[BLOCK_FILE_TRAILER_MAX];
};

/* Writes the trailer and moves the file into place. After -EBUSY and -ETIMEDOUT the block is
 * published later, and the booking is in the job's hands. */
int store_job_publish(struct store *s, int fd, const struct store_publish *p);

/* For a job's work: moves a file that has its trailer into place, tells the watcher and books it.
 * 0 or -errno. */
int store_job_publish_file(struct store *s, int fd, const struct store_publish *p);

/* Removes a file that didn't become a block; closes `fd` and, where it isn't -1, `reader`. */
void store_job_remove(struct store *s, int fd, int reader, const char *tmp_name);

#endif
