#include "preload/refuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/lookup.h"

/* How a path ends, trailing slashes apart. */
enum ending { NAME, DOT, DOTDOT };

static enum ending ending_of(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t begin = len;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    if (len - begin == 1 && path[begin] == '.')
        return DOT;
    return len - begin == 2 && path[begin] == '.' && path[begin + 1] == '.' ? DOTDOT : NAME;
}

bool refuse_is_nameless(const char *path)
{
    return ending_of(path) != NAME;
}

static bool ends_in_slash(const char *path)
{
    size_t len = strlen(path);
    return len > 0 && path[len - 1] == '/';
}

static bool is_root(const struct target *t)
{
    return t->bare || t->path_len == t->mapping->prefix_len;
}

int refuse_parent(const char *path, const struct target *t)
{
    struct target parent;
    struct stat st;
    size_t len = t->path_len;
    if (ending_of(path) == DOT)
        len++; /* the directory itself */
    else if (is_root(t) || ending_of(path) == DOTDOT)
        return 0; /* seen on the way here */
    else
        while (len > t->mapping->prefix_len && t->path[len - 1] != '/')
            len--;
    int r = target_set(&parent, t->mapping, t->path, len - 1);
    r = r < 0 ? r : lookup_stat(&parent, &st);
    return r < 0 ? r : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int refuse_making(const char *path, bool directory, const struct target *t)
{
    struct target name = *t;
    struct stat st;
    if (ending_of(path) != NAME || is_root(t))
        return -EEXIST;
    name.must_be_dir = false;
    int r = lookup_stat(&name, &st);
    if (r == 0)
        return -EEXIST;
    if (r != -ENOENT)
        return r;
    return ends_in_slash(path) && !directory ? -ENOENT : -EROFS;
}

static int refuse_removing_directory(const char *path, const struct target *t)
{
    switch (ending_of(path)) {
    case DOT:
        return -EINVAL;
    case DOTDOT:
        return -ENOTEMPTY;
    default:
        return is_root(t) ? -EBUSY : -EROFS;
    }
}

int refuse_change(enum refuse_change change, const char *path, const struct target *t)
{
    struct stat st;
    bool looks_itself = change == REFUSE_ATTRIBUTES || change == REFUSE_TRUNCATE;
    int r = looks_itself ? lookup_stat(t, &st) : refuse_parent(path, t);
    if (r < 0)
        return r;
    bool nameless = ending_of(path) != NAME;
    switch (change) {
    case REFUSE_MAKE:
    case REFUSE_MAKE_DIR:
        return refuse_making(path, change == REFUSE_MAKE_DIR, t);
    case REFUSE_RMDIR:
        return refuse_removing_directory(path, t);
    case REFUSE_UNLINK:
        return nameless || is_root(t) ? -EISDIR : -EROFS;
    case REFUSE_REMOVE:
        return nameless || is_root(t) ? refuse_removing_directory(path, t) : -EROFS;
    case REFUSE_MOVE:
        return nameless || is_root(t) ? -EBUSY : -EROFS;
    case REFUSE_TRUNCATE:
        return S_ISDIR(st.st_mode) ? -EISDIR : -EROFS;
    case REFUSE_MAKE_TEMP:
        return lookup_stat(t, &st) == -ENAMETOOLONG ? -ENAMETOOLONG : -EROFS;
    case REFUSE_ATTRIBUTES:
        break;
    }
    return -EROFS;
}

/* O_CREAT and nothing there, or nothing that O_CREAT could mean. */
static int refuse_creating(const char *path, const struct target *t, int found)
{
    int r = refuse_parent(path, t);
    if (r < 0)
        return r;
    if (ending_of(path) == NAME && ends_in_slash(path))
        return -EISDIR;
    return found == -ENOENT ? -EROFS : found;
}

int refuse_open(const char *path, int flags, const struct target *t)
{
    struct stat st;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    int r = lookup_stat(t, &st);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return r < 0 ? r : S_ISDIR(st.st_mode) ? -EROFS : -ENOTDIR;
    if ((flags & O_CREAT) && (r < 0 || (ends_in_slash(path) && ending_of(path) == NAME)))
        return refuse_creating(path, t, r);
    if (r < 0)
        return r;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    return writes ? -EROFS : 0;
}
