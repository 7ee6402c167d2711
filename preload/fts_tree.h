/* The entries of an fts walk (hook_fts.c): made, looked at, sorted, freed. They are the structs
 * that <fts.h> shows the job. One thread at a time, as with any FTS. */
#ifndef WARMPATH_PRELOAD_FTS_TREE_H
#define WARMPATH_PRELOAD_FTS_TREE_H

#include <stdbool.h>

#include "preload/libc.h"

/* An entry of that name below `parent`, or NULL. */
FTSENT *fts_tree_new(const FTS *walk, FTSENT *parent, const char *name);
void fts_tree_free(FTSENT *e);
void fts_tree_free_list(FTSENT *e);

/* The list of `n` entries in the order that the job's function wants. */
FTSENT *fts_tree_sort(const FTS *walk, FTSENT *first, size_t n);

/* stat of a name: fills the entry, returns its FTS_ kind. */
unsigned short fts_tree_look(const FTS *walk, FTSENT *e, int at, const char *name, bool follow);

enum fts_tree_reading {
    FTS_TREE_ENTER, /* for fts_read(): goes there */
    FTS_TREE_LOOK,  /* for fts_children(): stays */
    FTS_TREE_NAMES, /* the same, without a look at each */
};

/* The entries of a directory. NULL: there are none, or it can't be read; `e` says which. */
FTSENT *fts_tree_read(FTS *walk, FTSENT *e, enum fts_tree_reading how);

/* The directory was read but can't be entered (errno): its entries are not reached from it. */
void fts_tree_bar(FTSENT *e, FTSENT *children);

/* Goes to the directory of an entry, by a name of it, if it is still that. */
bool fts_tree_change(const FTS *walk, const FTSENT *e, const char *name);

/* Gives an entry that is about to be current its path. */
bool fts_tree_name(FTS *walk, FTSENT *e);
bool fts_tree_load_root(FTS *walk, FTSENT *e);

#endif
