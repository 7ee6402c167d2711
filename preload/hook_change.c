/* rename and link: two names, each of which may be mapped or local. A mapping is a file system of
 * its own, so between it and anything else it is EXDEV. And mkdtemp, which gives a pointer. */
#include <string.h>

#include "preload/hook.h"
#include "preload/refuse.h"

struct name {
    int at;
    const char *path; /* find() may replace it by what it means to the kernel */
    int mapped;       /* as hook_find() */
    struct target target;
};

static void find(struct name *name, bool failed)
{
    name->mapped =
        failed ? hook_follow(true, name->at, name->path, AT_SYMLINK_NOFOLLOW, &name->target)
               : hook_find_writing(name->at, name->path, AT_SYMLINK_NOFOLLOW, &name->target);
}

/* False: both are libc's. Negative results are ours, too. */
static bool is_ours(struct name *from, struct name *to, bool failed)
{
    find(from, failed);
    find(to, failed);
    return from->mapped != 0 || to->mapped != 0;
}

/* Does the directory exist in which this local name lies? 0 or -errno. */
static int local_parent(const struct name *name)
{
    char directory[PATH_MAX + 1];
    size_t len = name->path ? strlen(name->path) : 0;
    if (!name->path)
        return -EFAULT;
    if (len == 0 || len > PATH_MAX)
        return len == 0 ? -ENOENT : -ENAMETOOLONG;
    while (len > 1 && name->path[len - 1] == '/')
        len--;
    while (len > 0 && name->path[len - 1] != '/')
        len--;
    memcpy(directory, name->path, len);
    memcpy(directory + len, ".", 2);
    return REAL(faccessat)(name->at, directory, F_OK, 0) < 0 ? -errno : 0;
}

static int parent(const struct name *name)
{
    if (name->mapped < 0)
        return name->mapped;
    return name->mapped ? refuse_parent(name->path, &name->target) : local_parent(name);
}

static bool is_one_mapping(const struct name *from, const struct name *to)
{
    return from->mapped && to->mapped && from->target.mapping == to->target.mapping;
}

/* -errno of a rename that touches a mapping. */
static int refuse_rename(const struct name *from, const struct name *to, unsigned flags)
{
    const unsigned known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
    if ((flags & ~known) || ((flags & RENAME_EXCHANGE) && (flags & ~(unsigned)RENAME_EXCHANGE)))
        return -EINVAL;
    int r = parent(from);
    r = r < 0 ? r : parent(to);
    if (r < 0)
        return r;
    if (!is_one_mapping(from, to))
        return -EXDEV;
    r = refuse_change(REFUSE_MOVE, from->path, &from->target);
    if (r != -EROFS)
        return r;
    r = refuse_change(REFUSE_MOVE, to->path, &to->target);
    return r == -EBUSY && (flags & RENAME_NOREPLACE) ? -EEXIST : r;
}

/* -errno of a link that touches a mapping. */
static int refuse_link(const struct name *from, const struct name *to)
{
    struct stat st;
    int r = from->mapped;
    if (r > 0)
        r = lookup_stat(&from->target, &st);
    else if (r == 0)
        r = REAL(fstatat)(from->at, from->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    if (r < 0)
        return r;
    if (to->mapped)
        return to->mapped < 0 ? to->mapped : refuse_change(REFUSE_MAKE, to->path, &to->target);
    r = local_parent(to);
    if (r == 0 && REAL(fstatat)(to->at, to->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        r = -EEXIST;
    return r < 0 ? r : -EXDEV;
}

#define TWO_NAMES(real_call, refusal)                                                              \
    if (!is_ours(&from, &to, false)) {                                                             \
        int r = real_call;                                                                         \
        if (r == 0 || !follow_may_help(errno) || !is_ours(&from, &to, true))                       \
            return r;                                                                              \
    }                                                                                              \
    return (int)hook_result(refusal);

EXPORT int rename(const char *from_path, const char *to_path)
{
    struct name from = {.at = AT_FDCWD, .path = from_path}, to = {.at = AT_FDCWD, .path = to_path};
    TWO_NAMES(REAL(rename)(from.path, to.path), refuse_rename(&from, &to, 0))
}

EXPORT int renameat(int at, const char *from_path, int to_at, const char *to_path)
{
    struct name from = {.at = at, .path = from_path}, to = {.at = to_at, .path = to_path};
    TWO_NAMES(REAL(renameat)(at, from.path, to_at, to.path), refuse_rename(&from, &to, 0))
}

EXPORT int renameat2(int at, const char *from_path, int to_at, const char *to_path, unsigned flags)
{
    struct name from = {.at = at, .path = from_path}, to = {.at = to_at, .path = to_path};
    TWO_NAMES(REAL(renameat2)(at, from.path, to_at, to.path, flags),
              refuse_rename(&from, &to, flags))
}

EXPORT int link(const char *from_path, const char *to_path)
{
    struct name from = {.at = AT_FDCWD, .path = from_path}, to = {.at = AT_FDCWD, .path = to_path};
    TWO_NAMES(REAL(link)(from.path, to.path), refuse_link(&from, &to))
}

EXPORT int linkat(int at, const char *from_path, int to_at, const char *to_path, int flags)
{
    struct name from = {.at = at, .path = from_path}, to = {.at = to_at, .path = to_path};
    TWO_NAMES(REAL(linkat)(at, from.path, to_at, to.path, flags), refuse_link(&from, &to))
}

EXPORT char *mkdtemp(char *path)
{
    struct target t;
    const char *where = path;
    int r = hook_find_writing(AT_FDCWD, where, AT_SYMLINK_NOFOLLOW, &t);
    if (r == 0) {
        char *made = REAL(mkdtemp)(path);
        if ((r = hook_follow(!made, AT_FDCWD, path, 0, &t)) == 0)
            return made;
    }
    return hook_null(r < 0 ? r : refuse_change(REFUSE_MAKE_TEMP, path, &t));
}
