#include "preload/follow.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/border.h"

#define LINKS_MAX 40 /* as the kernel has it */

/* A way: what is done is absolute and holds no link, what is left is as the job or a link wrote it.
 * What is left lies at the end of its room, so that a link can be read before it: threads may have
 * small stacks. */
struct way {
    size_t len;
    int links;
    bool must_be_dir; /* what is left ends in a slash */
    bool bare;        /* the kernel has nothing where we are */
    char *left;
    char done[PATH_MAX + 1];
    char room[PATH_MAX + 256];
};

/* Is there a link on this path? The kernel tells in one call since 5.6; before, there may be. */
static bool meets_link(int at, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, at, path, &how, sizeof(how));
    if (fd >= 0)
        syscall(SYS_close, fd);
    return fd < 0 && errno != ENOENT && errno != EACCES && errno != ENOTDIR;
}

static void go_up(struct way *w)
{
    while (w->len > 0 && w->done[--w->len] != '/')
        ;
    w->done[w->len] = '\0';
}

static bool go_down(struct way *w, const char *name, size_t len)
{
    if (w->len + 1 + len > PATH_MAX)
        return false;
    w->done[w->len++] = '/';
    memcpy(w->done + w->len, name, len);
    w->len += len;
    w->done[w->len] = '\0';
    return true;
}

/* What a link says, `len` bytes at the front of the room, comes before what is left. */
static bool take_link(struct way *w, size_t len)
{
    if (++w->links > LINKS_MAX || len == 0 || w->room + len + 1 >= w->left)
        return false;
    *--w->left = '/';
    w->left -= len;
    memmove(w->left, w->room, len);
    if (w->left[0] == '/')
        w->len = 0;
    else
        go_up(w);
    return true;
}

/* One name further. False where the way ends in what is not ours. */
static bool go_on(struct way *w, const char *name, size_t len, bool follow)
{
    if (len == 1 && name[0] == '.')
        return true;
    if (len == 2 && name[0] == '.' && name[1] == '.') {
        go_up(w);
        return true;
    }
    if (!go_down(w, name, len))
        return false;
    w->bare = false;
    if (map_find(&state.map, w->done, w->len))
        return true;
    long n = syscall(SYS_readlinkat, AT_FDCWD, w->done, w->room, w->left - w->room);
    if (n < 0 && errno == ENOENT && map_below(&state.map, w->done, w->len))
        return w->bare = true;
    if (n < 0)
        return errno == EINVAL;
    bool last = w->left[strspn(w->left, "/")] == '\0' && !w->must_be_dir;
    return (follow || !last) && take_link(w, (size_t)n);
}

/* 1, 0 or negative, as follow_find(). */
static __attribute__((noinline)) int go_all_the_way(int at, const char *path, bool follow,
                                                    struct target *t)
{
    struct way w;
    size_t len = strlen(path);
    if (len > PATH_MAX)
        return 0;
    w.len = 0;
    w.links = 0;
    w.bare = false;
    w.left = w.room + sizeof(w.room) - len - 1;
    memcpy(w.left, path, len + 1);
    if (path[0] != '/') {
        ssize_t base = target_base(at, w.done, sizeof(w.done));
        if (base < 0)
            return 0;
        w.len = base == 1 ? 0 : (size_t)base; /* the root is "" here */
    }
    w.must_be_dir = path[len - 1] == '/';
    for (;;) {
        const char *name = w.left + strspn(w.left, "/");
        size_t name_len = strcspn(name, "/");
        if (name_len == 0)
            break;
        w.left = (char *)(uintptr_t)name + name_len;
        if (!go_on(&w, name, name_len, follow))
            return 0;
    }
    if (w.bare)
        return target_set_bare(t, w.done, w.len);
    const struct mapping *m = map_find(&state.map, w.done, w.len);
    if (!m)
        return 0;
    int r = target_set(t, m, w.done, w.len);
    t->must_be_dir = w.must_be_dir;
    return r;
}

int follow_find(int at, const char *path, int flags, struct target *t)
{
    int r = 0, error = errno;
    if (!path || !*path)
        return 0;
    if (error == ENOENT && target_is_ancestor(at, path, t))
        r = 1;
    else if (meets_link(at, path))
        r = go_all_the_way(at, path, !(flags & AT_SYMLINK_NOFOLLOW), t);
    errno = error;
    return r;
}

int follow_first(int at, const char *path, int flags, struct target *t)
{
    int r = 0, error = errno;
    if (path && *path && border_hides() && meets_link(at, path))
        r = go_all_the_way(at, path, !(flags & AT_SYMLINK_NOFOLLOW), t);
    errno = error;
    return r;
}
