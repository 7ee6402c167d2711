/* Descriptor → open mapped file. Lock-free; a miss is two loads. */
#ifndef WARMPATH_PRELOAD_FDTAB_H
#define WARMPATH_PRELOAD_FDTAB_H

#include <stdatomic.h>
#include <stdbool.h>

#include "preload/file.h"

#define FDTAB_CHUNK  1024
#define FDTAB_CHUNKS 1024 /* descriptors up to 2^20; beyond, an open fails with EMFILE */

struct fdtab_chunk {
    _Atomic(struct file *) files[FDTAB_CHUNK];
};

extern _Atomic(struct fdtab_chunk *) fdtab_chunks[FDTAB_CHUNKS];

/* The entry without a reference: only good for "is there one". */
static inline struct file *fdtab_peek(int fd)
{
    if ((unsigned)fd >= FDTAB_CHUNK * FDTAB_CHUNKS)
        return NULL;
    struct fdtab_chunk *chunk =
        atomic_load_explicit(&fdtab_chunks[(unsigned)fd / FDTAB_CHUNK], memory_order_acquire);
    if (!chunk)
        return NULL;
    return atomic_load_explicit(&chunk->files[(unsigned)fd % FDTAB_CHUNK], memory_order_acquire);
}

static inline bool fdtab_has(int fd)
{
    return fdtab_peek(fd) != NULL;
}

/* The open file with a reference of the caller's, or NULL. */
struct file *fdtab_pin(int fd);
static inline struct file *fdtab_get(int fd)
{
    return fdtab_peek(fd) ? fdtab_pin(fd) : NULL;
}

static inline void fdtab_unpin(struct file **f)
{
    if (*f)
        file_unref(*f);
}
#define PINNED __attribute__((cleanup(fdtab_unpin)))

/* Registers (takes over one reference). False when `fd` is beyond the table. */
bool fdtab_set(int fd, struct file *f);
/* Forgets, if there is an entry. */
void fdtab_drop(int fd);
/* `to` becomes another descriptor of what `from` stands for, or of nothing. */
void fdtab_copy(int from, int to);

/* Has the process had any mapped file open? */
bool fdtab_in_use(void);
/* Calls `visit` for every entry. */
void fdtab_each(void (*visit)(int fd, struct file *f));

#endif
