#include "preload/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/cwd.h"
#include "preload/elsewhere.h"
#include "preload/fdtab.h"
#include "preload/file.h"
#include "preload/inherit.h"

/* From a real directory, a relative path gets into a mapping only through a component of
 * the mapping's prefix, or upwards. */
static bool relative_is_elsewhere(const char *path)
{
    while (path[0] == '.' && path[1] == '/' && path[2] != '/')
        path += 2;
    size_t first = strcspn(path, "/");
    if (first == 0 || (path[0] == '.' && first == 2 && path[1] == '.'))
        return false;
    for (int i = 0; i < state.map.n; i++) {
        const char *prefix = state.map.entries[i].prefix;
        for (const char *part = prefix; part; part = strchr(part + 1, '/'))
            if (strncmp(part + 1, path, first) == 0 &&
                (part[1 + first] == '/' || part[1 + first] == '\0'))
                return false;
    }
    return !elsewhere_is_tangled(path);
}

bool target_relative_is_elsewhere(int at, const char *path)
{
    if (at == AT_FDCWD ? cwd_is_mapped() : fdtab_has(at))
        return false;
    if (at != AT_FDCWD && path[0] == '\0')
        return true; /* AT_EMPTY_PATH on a real descriptor */
    return relative_is_elsewhere(path);
}

int target_set(struct target *t, const struct mapping *m, const char *path, size_t len)
{
    const char *below = path + m->prefix_len + (len > m->prefix_len);
    size_t below_len = len - (size_t)(below - path);
    size_t prefix_len = m->key_prefix_len;
    if (below_len == 0 && prefix_len)
        prefix_len--; /* the mapping's root: "v1/" is the directory "v1" */
    if (prefix_len + below_len > WIRE_KEY_MAX || len > PATH_MAX)
        return -ENAMETOOLONG;
    t->mapping = m;
    t->must_be_dir = t->bare = t->descriptor = false;
    t->path_len = len;
    t->key_len = prefix_len + below_len;
    if (t->path != path)
        memmove(t->path, path, len);
    t->path[len] = '\0';
    memcpy(t->key, m->key_prefix, prefix_len);
    memcpy(t->key + prefix_len, t->path + (below - path), below_len);
    t->key[t->key_len] = '\0';
    return 1;
}

/* The absolute path of a real directory, by number so that no hook answers. */
static ssize_t real_directory(int at, char *out, size_t size)
{
    if (at == AT_FDCWD) {
        long n = syscall(SYS_getcwd, out, size);
        return n > 0 && out[0] == '/' ? n - 1 : -ENOENT;
    }
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, out, size - 1);
    if (n <= 0 || out[0] != '/')
        return -ENOENT;
    out[n] = '\0';
    return n;
}

ssize_t target_base(int at, char *out, size_t size)
{
    if (at == AT_FDCWD && cwd_is_mapped())
        return cwd_get(out, size);
    PINNED struct file *dir = at == AT_FDCWD ? NULL : fdtab_get(at);
    if (!dir)
        return real_directory(at, out, size);
    if (dir->target.path_len >= size)
        return -ENAMETOOLONG;
    memcpy(out, dir->target.path, dir->target.path_len + 1);
    return (ssize_t)dir->target.path_len;
}

/* "7" behind a directory of descriptors of this process, or -1; `*rest` is what comes after it. */
static int descriptor_named(const char *path, const char **rest)
{
    int fd = -1, used = 0, pid, tid;
    if (strcmp(path, "/dev/stdin") == 0) {
        *rest = "";
        return 0;
    }
    if (!(sscanf(path, "/proc/self/fd/%d%n", &fd, &used) == 1 ||
          sscanf(path, "/dev/fd/%d%n", &fd, &used) == 1 ||
          sscanf(path, "/proc/thread-self/fd/%d%n", &fd, &used) == 1 ||
          sscanf(path, "/proc/self/task/%d/fd/%d%n", &tid, &fd, &used) == 2 ||
          (sscanf(path, "/proc/%d/fd/%d%n", &pid, &fd, &used) == 2 && pid == getpid())))
        return -1;
    *rest = path + used;
    return **rest == '/' || **rest == '\0' ? fd : -1;
}

/* Another process' descriptor; opening its name makes a new description, as with any file. */
static bool names_others_descriptor(const char *path, struct target *t)
{
    int pid, fd, used = 0;
    if (sscanf(path, "/proc/%d/fd/%d%n", &pid, &fd, &used) != 2 || path[used] != '\0' ||
        pid == getpid() || !inherit_target(path, t))
        return false;
    t->descriptor = true;
    return true;
}

/* The working directory's name in /proc. As names_descriptor(). */
static int names_cwd(const char *path, struct target *t, char joined[2 * PATH_MAX])
{
    static const char link[] = "/proc/self/cwd";
    size_t len = sizeof(link) - 1;
    if (!cwd_is_mapped() || strncmp(path, link, len) != 0 || (path[len] && path[len] != '/'))
        return 0;
    size_t rest = strlen(path) - len;
    if (rest > PATH_MAX)
        return 0; /* the kernel says that it is too long */
    ssize_t base = cwd_get(joined, PATH_MAX);
    if (base < 0)
        return (int)base;
    if (path[len]) {
        memcpy(joined + base, path + len, rest + 1);
        return 0;
    }
    const struct mapping *m = map_find(&state.map, joined, (size_t)base);
    int r = m ? target_set(t, m, joined, (size_t)base) : target_set_bare(t, joined, (size_t)base);
    t->descriptor = true;
    return r;
}

/* 1: the descriptor of a mapped file. 0: of none, or there is more behind it: then `joined` is the
 * path below the directory that the descriptor stands for, else empty. */
static int names_descriptor(const char *path, struct target *t, char joined[2 * PATH_MAX])
{
    const char *rest;
    joined[0] = '\0';
    int fd = fdtab_in_use() ? descriptor_named(path, &rest) : -1;
    PINNED struct file *f = fd >= 0 ? fdtab_get(fd) : NULL;
    if (!f)
        return 0;
    if (*rest && f->kind == FILE_DIRECTORY) {
        snprintf(joined, 2 * PATH_MAX, "%s%s", f->target.path, rest);
        return 0;
    }
    if (*rest)
        return -ENOTDIR;
    *t = f->target;
    t->descriptor = true;
    return 1;
}

/* The kernel knows neither a mapping's directories nor a working directory among them. */
static bool leads_through_mapping(int at, const char *path)
{
    if (path[0] != '/')
        return at == AT_FDCWD ? cwd_is_mapped() : fdtab_has(at);
    return map_find(&state.map, path, strlen(path)) != NULL;
}

/* The path, absolute and normalised. Its length, or 0 when the kernel should say what is wrong with
 * it. */
static size_t absolute(int at, const char *path, char joined[2 * PATH_MAX])
{
    size_t len = strlen(path);
    size_t base = 0;
    if (len == 0 || len > PATH_MAX)
        return 0;
    if (path[0] != '/') {
        ssize_t n = target_base(at, joined, PATH_MAX);
        if (n < 0)
            return 0;
        base = (size_t)n;
        joined[base++] = '/';
    }
    memcpy(joined + base, path, len + 1);
    return path_normalise(joined, base + len);
}

bool target_is_ancestor(int at, const char *path, struct target *t)
{
    char joined[PATH_MAX * 2];
    if (path[0] != '/' && target_relative_is_elsewhere(at, path))
        return false;
    size_t len = absolute(at, path, joined);
    return len > 0 && len <= PATH_MAX && map_below(&state.map, joined, len) &&
           target_set_bare(t, joined, len) > 0;
}

int target_set_bare(struct target *t, const char *path, size_t len)
{
    memcpy(t->path, path, len + 1);
    t->path_len = len;
    t->mapping = &state.map.entries[0];
    t->must_be_dir = t->descriptor = false;
    t->bare = true;
    t->key_len = len < WIRE_KEY_MAX ? len : WIRE_KEY_MAX; /* for an inode number of its own */
    memcpy(t->key, path, t->key_len);
    t->key[t->key_len] = '\0';
    return 1;
}

int target_find(int at, const char **place, struct target *t)
{
    char joined[PATH_MAX * 2];
    const char *path = *place;
    int r = names_descriptor(path, t, joined);
    if (r == 0 && !joined[0])
        r = names_cwd(path, t, joined);
    if (r == 0 && !joined[0] && strncmp(path, "/proc/", 6) == 0)
        r = names_others_descriptor(path, t);
    if (r != 0)
        return r;
    bool below_descriptor = joined[0];
    size_t joined_len =
        below_descriptor ? path_normalise(joined, strlen(joined)) : absolute(at, path, joined);
    if (joined_len == 0)
        return 0;
    size_t len = strlen(path);
    bool slash = path[len - 1] == '/';
    bool dot = len > 1 && path[len - 1] == '.' && path[len - 2] == '/';
    const struct mapping *m = map_find(&state.map, joined, joined_len);
    if (m) {
        r = target_set(t, m, joined, joined_len);
        t->must_be_dir = slash || dot;
        return r;
    }
    if ((below_descriptor || leads_through_mapping(at, path)) && joined_len <= PATH_MAX) {
        memcpy(t->path, joined, joined_len + 1);
        *place = t->path;
    }
    return 0;
}
