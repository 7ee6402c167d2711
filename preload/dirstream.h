/* Going through a mapped directory: pages from the agent, one at a time, so that a directory of a
 * million objects costs a page of memory. One thread at a time, as with any DIR. */
#ifndef WARMPATH_PRELOAD_DIRSTREAM_H
#define WARMPATH_PRELOAD_DIRSTREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "preload/target.h"

struct dirstream;
struct file;

struct dir_entry {
    const char *name; /* terminated; until the next call */
    size_t name_len;
    uint8_t kind; /* enum wire_kind */
    uint64_t inode;
};

struct dirstream *dirstream_new(const struct target *t);
void dirstream_free(struct dirstream *s);

/* The stream of an open directory, made at the first call; NULL when memory is short. */
struct dirstream *dirstream_of(struct file *f);

/* 1 and an entry ("." and ".." first), 0 at the end, or -errno. */
int dirstream_next(struct dirstream *s, struct dir_entry *e);

/* Takes back the entry that dirstream_next() just gave: it gives it again. */
void dirstream_push_back(struct dirstream *s);

/* How many entries were passed. Seeking back lists again from the start. */
uint64_t dirstream_tell(const struct dirstream *s);
int dirstream_seek(struct dirstream *s, uint64_t position);

/* lseek() on a directory's descriptor. */
off_t dirstream_seek_fd(struct file *f, off_t offset, int whence);

#endif
