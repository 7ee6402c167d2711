/* Why a call that would change a mapping fails: not always EROFS, the kernel looks at the names
 * first. Order as in Linux' fs/namei.c on a read-only file system; tests/programs/readonly.py holds
 * it against one. */
#ifndef WARMPATH_PRELOAD_REFUSE_H
#define WARMPATH_PRELOAD_REFUSE_H

#include "preload/target.h"

enum refuse_change {
    REFUSE_MAKE,       /* a new name: symlink, mknod, mkfifo, the second of link */
    REFUSE_MAKE_DIR,   /* mkdir */
    REFUSE_MAKE_TEMP,  /* a name that libc makes up: mkstemp */
    REFUSE_UNLINK,     /* unlink */
    REFUSE_RMDIR,      /* rmdir */
    REFUSE_REMOVE,     /* remove */
    REFUSE_MOVE,       /* either name of rename */
    REFUSE_ATTRIBUTES, /* what there is: chmod, chown, utimes, setxattr */
    REFUSE_TRUNCATE,   /* truncate */
};

/* `path` as the caller gave it, `t` what it leads to. Always -errno. */
int refuse_change(enum refuse_change change, const char *path, const struct target *t);

/* open() for writing or making. 0: it may go on, nothing would be changed. */
int refuse_open(const char *path, int flags, const struct target *t);

/* The part of it that comes before anything is made: do the directories on the way to this name
 * exist? 0 or -errno. */
int refuse_parent(const char *path, const struct target *t);

/* Has the path no name of its own at its end ("", ".", "..")? */
bool refuse_is_nameless(const char *path);

#endif
