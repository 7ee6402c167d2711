/* Threads for whatever a stalled disk would hold up (a frozen or throttled file system, a network
 * disk that is gone for a while): nobody else ever waits for the disk for longer than
 * DISK_PATIENCE_MS, and while it is stalled nobody waits at all.
 *
 *   disk_do, disk_start ──> queued ──> running ──> done: the caller's again
 *                 │           └─ patience is over: the disk's; `discard` once it comes back
 *                 └─ patience is over, or the disk is stalled: the caller's, nothing was done
 *
 * The disk counts as stalled from the first job that somebody had to leave behind, or that waited
 * in the queue while no other ended, until all that were left have come back. Plain threads and not
 * io_uring: buffered writes, renames and unlinks of ext4 are handed to kernel threads there, too,
 * at the same cost (docs/architecture.md), and container runtimes forbid it.
 *
 * Thread-safe. */
#ifndef WARMPATH_AGENT_STORE_DISK_H
#define WARMPATH_AGENT_STORE_DISK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DISK_PATIENCE_MS 500
#define DISK_WATCH_MS    250

struct disk;

/* The first member of a structure of the caller's, on the heap. */
struct disk_job {
    struct disk_job *prev, *next;
    void (*work)(struct disk_job *j);         /* on a thread of the disk's */
    void (*discard)(struct disk_job *j);      /* after `work`, where nobody waited: undo it, free */
    void (*finished)(void *user, int result); /* of disk_start() */
    void *user;                               /* for that */
    bool gives_way;                           /* whatever is queued later comes before it */
    int state;                                /* disk.c's own, as are the next */
    int64_t due_ms;
    pthread_cond_t done;
};

/* NULL with errno. */
struct disk *disk_new(int n_threads);
/* Does what was left to it. False: the disk is stalled, and all is left to its fate: the threads go
 * on with it, and with what their jobs use, should it come back. */
bool disk_free(struct disk *d);

/* Has it done. 0: `work` was done. -EBUSY: it was not begun, and will not be. -ETIMEDOUT: it is
 * under way; the job is not the caller's any more. */
int disk_do(struct disk *d, struct disk_job *j);

/* The same without waiting: `finished` is told what disk_do() would return, by a thread of the
 * disk's, or by disk_watch(); at once when the disk is stalled. */
void disk_start(struct disk *d, struct disk_job *j);

/* Gives up what was started and has not been done for DISK_PATIENCE_MS. To be called every
 * DISK_WATCH_MS: nobody else looks after it. */
void disk_watch(struct disk *d);

/* Has it done some time, and discarded. */
void disk_leave(struct disk *d, struct disk_job *j);

bool disk_is_stalled(struct disk *d);

#endif
