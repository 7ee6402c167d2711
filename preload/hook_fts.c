/* fts: libc's other walk, with the same rules (fts(3)). Own walk where it may meet a mapping.
 *
 * Between two calls of fts_read() the working directory is that of the entry which was returned,
 * unless FTS_NOCHDIR says otherwise; the entries above it stay, so that fts_parent can be used. */
#include <stdlib.h>
#include <string.h>

#include "preload/fts_tree.h"
#include "preload/hook.h"
#include "preload/slab.h"
#include "preload/walk.h"

struct walker {
    FTS fts; /* what the job sees a pointer to */
};

static struct slab walkers = {.item_bytes = SLAB_ITEM_BYTES(struct walker)};

static bool is_ours(FTS *walk)
{
    return slab_owns(&walkers, walk);
}

static bool any_is_ours(char *const *paths, bool follows_links)
{
    for (; *paths; paths++)
        if (walk_is_ours(*paths, follows_links))
            return true;
    return false;
}

/* The directory that a followed link was in. */
static void forget_way_back(FTSENT *e)
{
    int error = errno;
    if (e->fts_flags & FTS_SYMFOLLOW)
        close(e->fts_symfd);
    e->fts_flags &= (unsigned short)~FTS_SYMFOLLOW;
    errno = error;
}

/* --- opening and closing ------------------------------------------------------------------ */

/* The entries of the paths, in order or sorted. NULL with errno set when one can't be. */
static FTSENT *make_roots(FTS *walk, char *const *paths, FTSENT *above)
{
    FTSENT *first = NULL, **last = &first;
    size_t n = 0;
    for (; *paths; paths++, n++) {
        FTSENT *e = **paths ? fts_tree_new(walk, above, *paths) : hook_null(ENOENT);
        if (!e) {
            fts_tree_free_list(first);
            return NULL;
        }
        e->fts_accpath = e->fts_name;
        e->fts_level = FTS_ROOTLEVEL;
        e->fts_info =
            fts_tree_look(walk, e, AT_FDCWD, e->fts_accpath, walk->fts_options & FTS_COMFOLLOW);
        if (e->fts_info == FTS_DOT)
            e->fts_info = FTS_D;
        *last = e;
        last = &e->fts_link;
    }
    return fts_tree_sort(walk, first, n);
}

static FTS *start(char *const *paths, int options, fts_compare *compare)
{
    FTS *walk = slab_take(&walkers);
    if (!walk)
        return hook_null(ENOMEM);
    memset(walk, 0, sizeof(*walk));
    walk->fts_options = options | (options & FTS_LOGICAL ? FTS_NOCHDIR : 0);
    walk->fts_compar = (int (*)(const void *, const void *))compare;
    walk->fts_rfd = -1;
    FTSENT *above = fts_tree_new(walk, NULL, "");
    FTSENT *cur = above ? fts_tree_new(walk, above, "") : NULL;
    FTSENT *roots = NULL;
    if (cur) {
        above->fts_level = FTS_ROOTPARENTLEVEL;
        cur->fts_level = FTS_ROOTLEVEL;
        cur->fts_info = FTS_INIT;
        roots = make_roots(walk, paths, above);
    }
    if (!roots && (!cur || *paths)) {
        fts_tree_free(cur);
        fts_tree_free(above);
        slab_give(&walkers, walk);
        return NULL;
    }
    cur->fts_link = roots;
    walk->fts_cur = cur;
    if (!(walk->fts_options & FTS_NOCHDIR))
        walk->fts_rfd = open(".", O_RDONLY | O_CLOEXEC);
    if (walk->fts_rfd < 0)
        walk->fts_options |= FTS_NOCHDIR;
    return walk;
}

EXPORT FTS *fts_open(char *const *paths, int options, fts_compare *compare)
{
    if (!any_is_ours(paths, options & FTS_LOGICAL))
        return REAL(fts_open)(paths, options, compare);
    return options & ~FTS_OPTIONMASK ? hook_null(EINVAL) : start(paths, options, compare);
}

EXPORT int fts_close(FTS *walk)
{
    if (!is_ours(walk))
        return REAL(fts_close)(walk);
    FTSENT *e = walk->fts_cur;
    while (e && e->fts_level >= FTS_ROOTLEVEL) {
        FTSENT *next = e->fts_link ? e->fts_link : e->fts_parent;
        forget_way_back(e);
        fts_tree_free(e);
        e = next;
    }
    if (e)
        fts_tree_free(e);
    fts_tree_free_list(walk->fts_child);
    int r = 0, error = errno;
    if (walk->fts_rfd >= 0) {
        r = fchdir(walk->fts_rfd);
        error = r < 0 ? errno : error;
        close(walk->fts_rfd);
    }
    slab_give(&walkers, walk);
    errno = error;
    return r;
}

/* --- going on ------------------------------------------------------------------------------ */

/* Follows a link that the job asked to follow; where it is a directory, the way back is kept. */
static void follow(FTS *walk, FTSENT *e)
{
    e->fts_info = fts_tree_look(walk, e, AT_FDCWD, e->fts_accpath, true);
    if (e->fts_info != FTS_D || (walk->fts_options & FTS_NOCHDIR))
        return;
    e->fts_symfd = open(".", O_RDONLY | O_CLOEXEC);
    if (e->fts_symfd < 0) {
        e->fts_errno = errno;
        e->fts_info = FTS_ERR;
    } else {
        e->fts_flags |= FTS_SYMFOLLOW;
    }
}

static FTSENT *stop(FTS *walk)
{
    walk->fts_options |= FTS_STOP;
    return NULL;
}

static bool go_to_start(const FTS *walk)
{
    return (walk->fts_options & FTS_NOCHDIR) || fchdir(walk->fts_rfd) == 0;
}

/* The entry becomes the current one. */
static FTSENT *give(FTS *walk, FTSENT *e)
{
    if (!fts_tree_name(walk, e))
        return stop(walk);
    return walk->fts_cur = e;
}

/* Out of a directory whose entries are done: it comes a second time. */
static FTSENT *go_up(FTS *walk, FTSENT *done)
{
    FTSENT *e = done->fts_parent;
    fts_tree_free(done);
    walk->fts_cur = e;
    if (e->fts_level == FTS_ROOTPARENTLEVEL) {
        fts_tree_free(e);
        errno = 0;
        return walk->fts_cur = NULL;
    }
    if (e->fts_level == FTS_ROOTLEVEL) {
        if (!go_to_start(walk))
            return stop(walk);
    } else if (e->fts_flags & FTS_SYMFOLLOW) {
        int r = fchdir(e->fts_symfd);
        forget_way_back(e);
        if (r < 0)
            return stop(walk);
    } else if (!(e->fts_flags & FTS_DONTCHDIR) && !fts_tree_change(walk, e->fts_parent, "..")) {
        return stop(walk);
    }
    e->fts_info = e->fts_errno ? FTS_ERR : FTS_DP;
    return e;
}

/* To the next entry beside this one, or up. */
static FTSENT *go_along(FTS *walk, FTSENT *e)
{
    for (;;) {
        FTSENT *done = e;
        e = e->fts_link;
        if (!e)
            return go_up(walk, done);
        fts_tree_free(done);
        walk->fts_cur = e;
        if (e->fts_level == FTS_ROOTLEVEL) {
            if (!go_to_start(walk) || !fts_tree_load_root(walk, e))
                return stop(walk);
            return e;
        }
        if (e->fts_instr == FTS_SKIP)
            continue;
        if (e->fts_instr == FTS_FOLLOW) {
            follow(walk, e);
            e->fts_instr = FTS_NOINSTR;
        }
        return give(walk, e);
    }
}

static void drop_children(FTS *walk)
{
    fts_tree_free_list(walk->fts_child);
    walk->fts_child = NULL;
}

/* Into a directory that was given; the directory again where it has nothing to give. */
static FTSENT *go_down(FTS *walk, FTSENT *e)
{
    if (walk->fts_child && (walk->fts_options & FTS_NAMEONLY)) {
        walk->fts_options &= ~FTS_NAMEONLY;
        drop_children(walk);
    }
    if (!walk->fts_child) {
        walk->fts_child = fts_tree_read(walk, e, FTS_TREE_ENTER);
        if (!walk->fts_child) {
            forget_way_back(e);
            return e;
        }
    } else if (!fts_tree_change(walk, e, e->fts_accpath)) {
        fts_tree_bar(e, walk->fts_child);
    }
    FTSENT *child = walk->fts_child;
    walk->fts_child = NULL;
    return give(walk, child); /* as libc has it, even if fts_set() said to skip this first one */
}

static FTSENT *leave_out(FTS *walk, FTSENT *e)
{
    forget_way_back(e);
    drop_children(walk);
    e->fts_info = FTS_DP;
    return e;
}

EXPORT FTSENT *fts_read(FTS *walk)
{
    if (!is_ours(walk))
        return REAL(fts_read)(walk);
    FTSENT *e = walk->fts_cur;
    if (!e || (walk->fts_options & FTS_STOP))
        return NULL;
    int instruction = e->fts_instr;
    e->fts_instr = FTS_NOINSTR;
    if (instruction == FTS_AGAIN) {
        e->fts_info = fts_tree_look(walk, e, AT_FDCWD, e->fts_accpath, false);
        return e;
    }
    if (instruction == FTS_FOLLOW && (e->fts_info == FTS_SL || e->fts_info == FTS_SLNONE)) {
        follow(walk, e);
        return e;
    }
    if (e->fts_info != FTS_D)
        return go_along(walk, e);
    bool elsewhere = (walk->fts_options & FTS_XDEV) && e->fts_dev != walk->fts_dev;
    return instruction == FTS_SKIP || elsewhere ? leave_out(walk, e) : go_down(walk, e);
}

EXPORT FTSENT *fts_children(FTS *walk, int instruction)
{
    if (!is_ours(walk))
        return REAL(fts_children)(walk, instruction);
    if (instruction != 0 && instruction != FTS_NAMEONLY)
        return hook_null(EINVAL);
    FTSENT *e = walk->fts_cur;
    errno = 0;
    if (!e || (walk->fts_options & FTS_STOP))
        return NULL;
    if (e->fts_info == FTS_INIT)
        return e->fts_link;
    if (e->fts_info != FTS_D)
        return NULL;
    drop_children(walk);
    if (instruction == FTS_NAMEONLY)
        walk->fts_options |= FTS_NAMEONLY;
    walk->fts_child = fts_tree_read(walk, e, instruction ? FTS_TREE_NAMES : FTS_TREE_LOOK);
    return walk->fts_child;
}

EXPORT int fts_set(FTS *walk, FTSENT *entry, int instruction)
{
    if (!is_ours(walk))
        return REAL(fts_set)(walk, entry, instruction);
    if (instruction != 0 && instruction != FTS_AGAIN && instruction != FTS_FOLLOW &&
        instruction != FTS_NOINSTR && instruction != FTS_SKIP) {
        errno = EINVAL;
        return 1;
    }
    entry->fts_instr = (unsigned short)instruction;
    return 0;
}
