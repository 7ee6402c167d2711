#include "preload/fts_tree.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What comes before the part that the job sees. */
struct node {
    struct stat st;
    char *path; /* its own; until it has one, `fts_path` is its parent's */
    FTSENT e;   /* the name runs beyond its end */
};

static struct node *node_of(FTSENT *e)
{
    return (struct node *)(void *)((char *)e - offsetof(struct node, e));
}

FTSENT *fts_tree_new(const FTS *walk, FTSENT *parent, const char *name)
{
    size_t len = strlen(name);
    struct node *n = len > USHRT_MAX ? NULL : calloc(1, sizeof(*n) + len);
    if (!n) {
        errno = len > USHRT_MAX ? ENAMETOOLONG : ENOMEM;
        return NULL;
    }
    FTSENT *e = &n->e;
    memcpy(e->fts_name, name, len + 1);
    e->fts_namelen = (unsigned short)len;
    e->fts_parent = parent;
    e->fts_level = (short)(parent ? parent->fts_level + 1 : 0);
    e->fts_path = parent ? parent->fts_path : e->fts_name;
    e->fts_pathlen = parent ? parent->fts_pathlen : 0;
    e->fts_instr = FTS_NOINSTR;
    e->fts_statp = walk->fts_options & FTS_NOSTAT ? NULL : &n->st;
    return e;
}

void fts_tree_free(FTSENT *e)
{
    if (!e)
        return;
    int error = errno;
    free(node_of(e)->path);
    free(node_of(e));
    errno = error;
}

void fts_tree_free_list(FTSENT *e)
{
    while (e) {
        FTSENT *next = e->fts_link;
        fts_tree_free(e);
        e = next;
    }
}

FTSENT *fts_tree_sort(const FTS *walk, FTSENT *first, size_t n)
{
    if (!walk->fts_compar || n < 2)
        return first;
    FTSENT **all = malloc(n * sizeof(FTSENT *));
    if (!all)
        return first; /* unsorted rather than not at all, as libc has it */
    size_t i = 0;
    for (FTSENT *e = first; e; e = e->fts_link)
        all[i++] = e;
    qsort(all, n, sizeof(*all), walk->fts_compar);
    for (i = 0; i + 1 < n; i++)
        all[i]->fts_link = all[i + 1];
    all[n - 1]->fts_link = NULL;
    first = all[0];
    free(all);
    return first;
}

/* --- looking ------------------------------------------------------------------------------- */

static bool is_dot(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static unsigned short kind_of_directory(FTSENT *e, const struct stat *st)
{
    e->fts_dev = st->st_dev;
    e->fts_ino = st->st_ino;
    e->fts_nlink = st->st_nlink;
    if (is_dot(e->fts_name))
        return FTS_DOT;
    for (FTSENT *above = e->fts_parent; above && above->fts_level >= FTS_ROOTLEVEL;
         above = above->fts_parent)
        if (above->fts_ino == st->st_ino && above->fts_dev == st->st_dev) {
            e->fts_cycle = above;
            return FTS_DC;
        }
    return FTS_D;
}

unsigned short fts_tree_look(const FTS *walk, FTSENT *e, int at, const char *name, bool follow)
{
    struct stat *st = &node_of(e)->st;
    follow = follow || (walk->fts_options & FTS_LOGICAL);
    if (fstatat(at, name, st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
        int error = errno;
        if (follow && fstatat(at, name, st, AT_SYMLINK_NOFOLLOW) == 0) {
            errno = 0;
            return FTS_SLNONE;
        }
        e->fts_errno = error;
        memset(st, 0, sizeof(*st));
        return FTS_NS;
    }
    if (S_ISDIR(st->st_mode))
        return kind_of_directory(e, st);
    return S_ISLNK(st->st_mode) ? FTS_SL : S_ISREG(st->st_mode) ? FTS_F : FTS_DEFAULT;
}

/* --- paths --------------------------------------------------------------------------------- */

bool fts_tree_name(FTS *walk, FTSENT *e)
{
    const FTSENT *above = e->fts_parent;
    size_t len = above->fts_pathlen;
    if (len > 0 && above->fts_path[len - 1] == '/')
        len--;
    size_t whole = len + 1 + e->fts_namelen;
    char *path = whole > USHRT_MAX ? NULL : malloc(whole + 1);
    if (!path) {
        errno = whole > USHRT_MAX ? ENAMETOOLONG : ENOMEM;
        return false;
    }
    memcpy(path, above->fts_path, len);
    path[len] = '/';
    memcpy(path + len + 1, e->fts_name, (size_t)e->fts_namelen + 1);
    node_of(e)->path = e->fts_path = path;
    e->fts_pathlen = (unsigned short)whole;
    if (walk->fts_options & FTS_NOCHDIR)
        e->fts_accpath = path;
    return true;
}

/* A path that the walk began with: the name is its last part. */
bool fts_tree_load_root(FTS *walk, FTSENT *e)
{
    char *path = strdup(e->fts_name);
    if (!path)
        return false;
    free(node_of(e)->path);
    node_of(e)->path = e->fts_path = e->fts_accpath = path;
    e->fts_pathlen = e->fts_namelen;
    char *slash = strrchr(e->fts_name, '/');
    if (slash && (slash != e->fts_name || slash[1])) {
        e->fts_namelen = (unsigned short)strlen(slash + 1);
        memmove(e->fts_name, slash + 1, (size_t)e->fts_namelen + 1);
    }
    walk->fts_dev = e->fts_dev;
    return true;
}

/* Into an open directory, if it is still that of the entry. */
static bool enter(const FTS *walk, const FTSENT *e, int fd)
{
    struct stat st;
    if (walk->fts_options & FTS_NOCHDIR)
        return true;
    if (fstat(fd, &st) < 0)
        return false;
    if (st.st_dev != e->fts_dev || st.st_ino != e->fts_ino) {
        errno = ENOENT; /* moved away meanwhile */
        return false;
    }
    return fchdir(fd) == 0;
}

bool fts_tree_change(const FTS *walk, const FTSENT *e, const char *name)
{
    if (walk->fts_options & FTS_NOCHDIR)
        return true;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool entered = enter(walk, e, fd);
    int error = errno;
    close(fd);
    errno = error;
    return entered;
}

/* --- directories --------------------------------------------------------------------------- */

static FTSENT *make_entry(const FTS *walk, FTSENT *e, DIR *dir, const struct dirent *found,
                          enum fts_tree_reading how)
{
    FTSENT *child = fts_tree_new(walk, e, found->d_name);
    bool nostat = (walk->fts_options & FTS_NOSTAT) && (walk->fts_options & FTS_PHYSICAL);
    if (!child)
        return NULL;
    child->fts_accpath = walk->fts_options & FTS_NOCHDIR ? e->fts_path : child->fts_name;
    if (how == FTS_TREE_NAMES || (nostat && found->d_type != DT_DIR && found->d_type != DT_UNKNOWN))
        child->fts_info = FTS_NSOK;
    else
        child->fts_info = fts_tree_look(walk, child, dirfd(dir), found->d_name, false);
    return child;
}

/* All of them, in the directory's order; their number. errno is 0 unless it broke off. */
static size_t read_entries(const FTS *walk, FTSENT *e, DIR *dir, enum fts_tree_reading how,
                           FTSENT **first)
{
    FTSENT **last = first;
    struct dirent *found;
    size_t n = 0;
    while ((errno = 0, found = readdir(dir))) {
        if (!(walk->fts_options & FTS_SEEDOT) && is_dot(found->d_name))
            continue;
        *last = make_entry(walk, e, dir, found, how);
        if (!*last)
            break;
        last = &(*last)->fts_link;
        n++;
    }
    return n;
}

void fts_tree_bar(FTSENT *e, FTSENT *children)
{
    e->fts_errno = errno;
    e->fts_flags |= FTS_DONTCHDIR;
    for (; children; children = children->fts_link)
        children->fts_accpath = e->fts_accpath;
}

FTSENT *fts_tree_read(FTS *walk, FTSENT *e, enum fts_tree_reading how)
{
    FTSENT *first = NULL;
    int before = errno;
    DIR *dir = opendir(e->fts_accpath);
    if (!dir && how == FTS_TREE_ENTER) {
        e->fts_info = FTS_DNR;
        e->fts_errno = errno;
    }
    if (!dir)
        return NULL;
    size_t n = read_entries(walk, e, dir, how, &first);
    int error = errno;
    if (error && how == FTS_TREE_ENTER)
        e->fts_errno = error; /* what was read is given, and then the directory as FTS_ERR */
    if (n > 0 && how == FTS_TREE_ENTER && !enter(walk, e, dirfd(dir)))
        fts_tree_bar(e, first);
    closedir(dir);
    errno = error ? error : before;
    if (n == 0 && how == FTS_TREE_ENTER)
        e->fts_info = error ? FTS_ERR : FTS_DP;
    return fts_tree_sort(walk, first, n);
}
