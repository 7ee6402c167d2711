/* nftw and ftw. Own walk, of our opendir and stat, where it may meet a mapping (walk.h).
 *
 * What glibc documents or does is kept: which flag a file gets, which directory is the current one
 * during a call, that a walk which follows links enters no directory twice. */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/walk.h"

#define KNOWN_FLAGS (FTW_PHYS | FTW_MOUNT | FTW_CHDIR | FTW_DEPTH | FTW_ACTIONRETVAL)

struct seen {
    dev_t device;
    ino_t inode;
};

struct walk {
    __nftw_func_t visit;
    __ftw_func_t visit_old; /* ftw's, which knows fewer flags */
    int flags;
    int streams; /* directories that may be open at a time */
    dev_t device;
    struct FTW place;
    char *path; /* of what is being looked at */
    size_t path_room;
    void *seen; /* directories entered, where links are followed: a tree of struct seen */
};

/* A directory that is being read: open, or read to its end before. */
struct level {
    DIR *dir;
    char *names; /* each terminated, an empty one at the end; NULL: `dir` is read */
    char *next;
    size_t path_len;
};

static int tell(struct walk *w, const struct stat *st, int flag)
{
    static const int old_flags[] = {
        [FTW_F] = FTW_F,  [FTW_D] = FTW_D,  [FTW_DNR] = FTW_DNR, [FTW_NS] = FTW_NS,
        [FTW_SL] = FTW_F, [FTW_DP] = FTW_D, [FTW_SLN] = FTW_NS};
    return w->visit_old ? w->visit_old(w->path, st, old_flags[flag])
                        : w->visit(w->path, st, flag, &w->place);
}

static bool acts(const struct walk *w, int r, int action)
{
    return (w->flags & FTW_ACTIONRETVAL) && r == action;
}

static int compare_seen(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return a->device == b->device ? 0 : a->device < b->device ? -1 : 1;
}

/* False where it was entered before, or memory is short (then `*r` is -1). */
static bool enter_once(struct walk *w, const struct stat *st, int *r)
{
    if (w->flags & FTW_PHYS)
        return true;
    struct seen *fresh = malloc(sizeof(*fresh));
    if (fresh)
        *fresh = (struct seen){st->st_dev, st->st_ino};
    struct seen **found = fresh ? tsearch(fresh, &w->seen, compare_seen) : NULL;
    if (found && *found == fresh)
        return true;
    free(fresh);
    if (!found)
        *r = -1;
    return false;
}

/* --- one directory ------------------------------------------------------------------------ */

static bool set_path(struct walk *w, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    if (len + name_len + 2 > w->path_room) {
        char *more = realloc(w->path, 2 * (len + name_len + 2));
        if (!more)
            return false;
        w->path = more;
        w->path_room = 2 * (len + name_len + 2);
    }
    if (len > 0 && w->path[len - 1] != '/')
        w->path[len++] = '/';
    memcpy(w->path + len, name, name_len + 1);
    w->place.base = (int)len;
    return true;
}

/* By which name and from which directory to ask for what is being looked at. */
static int name_at(const struct walk *w, const struct level *in, const char **name)
{
    bool relative = (w->flags & FTW_CHDIR) || (in && in->dir);
    *name = w->path + (relative ? w->place.base : 0);
    return relative && !(w->flags & FTW_CHDIR) ? dirfd(in->dir) : AT_FDCWD;
}

static DIR *open_level(const struct walk *w, const struct level *in)
{
    const char *name;
    int at = name_at(w, in, &name);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

static bool is_dot(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* All names at once, where no more directories may be open. */
static int read_whole(struct level *l)
{
    size_t used = 0, room = 4096;
    struct dirent *entry;
    l->names = malloc(room);
    while (l->names && (errno = 0, entry = readdir(l->dir))) {
        size_t bytes = strlen(entry->d_name) + 1;
        if (used + bytes + 1 > room) {
            char *more = realloc(l->names, room = 2 * (used + bytes + 1));
            if (!more)
                free(l->names);
            l->names = more;
        }
        if (l->names && !is_dot(entry->d_name)) {
            memcpy(l->names + used, entry->d_name, bytes);
            used += bytes;
        }
    }
    int error = l->names ? errno : ENOMEM;
    closedir(l->dir);
    l->dir = NULL;
    if (l->names)
        l->names[used] = '\0';
    l->next = l->names;
    errno = error;
    return error ? -1 : 0;
}

/* The next name, or NULL at the end; then `*r` is -1 if it could not be read. */
static const char *next_name(struct level *l, int *r)
{
    struct dirent *entry;
    if (l->names) {
        const char *name = l->next;
        l->next += strlen(name) + 1;
        return *name ? name : NULL;
    }
    int error = errno;
    do {
        errno = 0;
        entry = readdir(l->dir);
    } while (entry && is_dot(entry->d_name));
    if (!entry && errno)
        *r = -1;
    else
        errno = error;
    return entry ? entry->d_name : NULL;
}

static int walk_directory(struct walk *w, const struct stat *st, struct level *in);

static int look(struct walk *w, struct level *in, struct stat *st)
{
    const char *name;
    int at = name_at(w, in, &name);
    if (fstatat(at, name, st, w->flags & FTW_PHYS ? AT_SYMLINK_NOFOLLOW : 0) == 0)
        return S_ISDIR(st->st_mode) ? FTW_D : S_ISLNK(st->st_mode) ? FTW_SL : FTW_F;
    int error = errno;
    struct stat link;
    if (error != EACCES && error != ENOENT)
        return -1;
    memset(st, 0, sizeof(*st));
    if (!(w->flags & FTW_PHYS) && fstatat(at, name, &link, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(link.st_mode)) {
        *st = link;
        return FTW_SLN;
    }
    errno = error;
    return FTW_NS;
}

static int walk_entry(struct walk *w, struct level *in)
{
    struct stat st;
    int r = 0, flag = look(w, in, &st);
    if (flag < 0)
        return -1;
    if (flag != FTW_NS && (w->flags & FTW_MOUNT) && st.st_dev != w->device)
        return 0;
    if (flag != FTW_D)
        r = tell(w, &st, flag);
    else if (enter_once(w, &st, &r))
        r = walk_directory(w, &st, in);
    return acts(w, r, FTW_SKIP_SUBTREE) ? 0 : r;
}

static int walk_entries(struct walk *w, struct level *l)
{
    int r = 0;
    const char *name;
    w->place.level++;
    while (r == 0 && (name = next_name(l, &r)))
        r = set_path(w, l->path_len, name) ? walk_entry(w, l) : -1;
    w->place.level--;
    return acts(w, r, FTW_SKIP_SIBLINGS) ? 0 : r;
}

static void leave_level(struct level *l)
{
    int error = errno;
    if (l->dir)
        closedir(l->dir);
    free(l->names);
    errno = error;
}

/* Back to the directory above; the walk's first is left by the caller. */
static int go_back(const struct walk *w, const struct level *in, int r)
{
    bool goes_on = r == 0 || ((w->flags & FTW_ACTIONRETVAL) && r != -1 && r != FTW_STOP);
    if (!in || !(w->flags & FTW_CHDIR) || !goes_on)
        return r;
    int back = in->dir ? fchdir(dirfd(in->dir)) : chdir("..");
    return back < 0 ? -1 : r;
}

static int walk_directory(struct walk *w, const struct stat *st, struct level *in)
{
    int base = w->place.base;
    struct level l = {.dir = open_level(w, in), .path_len = strlen(w->path)};
    if (!l.dir)
        return errno == EACCES ? tell(w, st, FTW_DNR) : -1;
    int r = w->flags & FTW_DEPTH ? 0 : tell(w, st, FTW_D);
    if (r != 0) {
        leave_level(&l);
        return r;
    }
    if ((w->flags & FTW_CHDIR) && fchdir(dirfd(l.dir)) < 0)
        r = -1;
    if (r == 0 && w->place.level + 1 >= w->streams)
        r = read_whole(&l);
    if (r == 0)
        r = walk_entries(w, &l);
    leave_level(&l);
    w->path[l.path_len] = '\0';
    w->place.base = base;
    if (r == 0 && (w->flags & FTW_DEPTH))
        r = tell(w, st, FTW_DP);
    return go_back(w, in, r);
}

/* --- the whole ---------------------------------------------------------------------------- */

static int walk_root(struct walk *w)
{
    struct stat st;
    int r = 0, flag = look(w, NULL, &st);
    if (flag < 0 || flag == FTW_NS)
        return -1;
    w->device = st.st_dev;
    if (flag != FTW_D)
        r = tell(w, &st, flag);
    else if (enter_once(w, &st, &r))
        r = walk_directory(w, &st, NULL);
    return acts(w, r, FTW_SKIP_SUBTREE) || acts(w, r, FTW_SKIP_SIBLINGS) ? 0 : r;
}

/* Splits off where the last name begins, as FTW.base has it. */
static void split_root(struct walk *w)
{
    size_t len = strlen(w->path);
    while (len > 1 && w->path[len - 1] == '/')
        w->path[--len] = '\0';
    const char *slash = strrchr(w->path, '/');
    w->place.base = slash && slash[1] ? (int)(slash + 1 - w->path) : 0;
}

/* The first name too is looked up from its own directory. */
static int go_to_parent(struct walk *w)
{
    if (w->place.base == 0)
        return 0;
    char kept = w->path[w->place.base];
    w->path[w->place.base] = '\0';
    int r = chdir(w->path);
    w->path[w->place.base] = kept;
    return r;
}

static int walk_elsewhere(struct walk *w)
{
    int start = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (start < 0)
        return -1;
    int r = go_to_parent(w) == 0 ? walk_root(w) : -1;
    int error = errno;
    if (fchdir(start) < 0 && r == 0) {
        error = errno;
        r = -1;
    }
    close(start);
    errno = error;
    return r;
}

static int walk(struct walk *w, const char *path, int streams)
{
    w->streams = streams < 1 ? 1 : streams;
    if (!*path)
        return (int)hook_result(-ENOENT);
    if (!set_path(w, 0, path))
        return -1;
    split_root(w);
    int r = w->flags & FTW_CHDIR ? walk_elsewhere(w) : walk_root(w);
    int error = errno;
    tdestroy(w->seen, free);
    free(w->path);
    errno = error;
    return r;
}

EXPORT int nftw(const char *path, __nftw_func_t visit, int streams, int flags)
{
    if (!walk_is_ours(path, !(flags & FTW_PHYS)))
        return REAL(nftw)(path, visit, streams, flags);
    if (flags & ~KNOWN_FLAGS)
        return (int)hook_result(-EINVAL);
    struct walk w = {.visit = visit, .flags = flags};
    return walk(&w, path, streams);
}

EXPORT int ftw(const char *path, __ftw_func_t visit, int streams)
{
    if (!walk_is_ours(path, true))
        return REAL(ftw)(path, visit, streams);
    struct walk w = {.visit_old = visit};
    return walk(&w, path, streams);
}
