/* scandir and glob: libc's own would not come back through our opendir. */
#include <stdlib.h>
#include <string.h>

#include "preload/hook.h"

struct scan {
    struct dirent **names;
    size_t n, room;
};

static bool scan_add(struct scan *s, const struct dirent *entry)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 32;
        struct dirent **more = realloc(s->names, room * sizeof(*more));
        if (!more)
            return false;
        s->names = more;
        s->room = room;
    }
    struct dirent *copy = malloc(entry->d_reclen);
    if (!copy)
        return false;
    memcpy(copy, entry, entry->d_reclen);
    s->names[s->n++] = copy;
    return true;
}

static int scan_fail(struct scan *s, int error)
{
    while (s->n > 0)
        free(s->names[--s->n]);
    free(s->names);
    errno = error;
    return -1;
}

static int scan_dir(DIR *dir, struct dirent ***names, scandir_filter *filter,
                    scandir_compare *compare)
{
    struct scan s = {0};
    struct dirent *entry;
    int before = errno;
    if (!dir)
        return -1;
    while ((errno = 0, entry = readdir(dir))) {
        errno = 0; /* the filter's is none of ours */
        if ((!filter || filter(entry)) && !scan_add(&s, entry)) {
            errno = ENOMEM;
            break;
        }
    }
    int error = errno;
    closedir(dir);
    if (error)
        return scan_fail(&s, error);
    if (compare && s.n)
        qsort(s.names, s.n, sizeof(*s.names), (int (*)(const void *, const void *))compare);
    *names = s.names ? s.names : malloc(sizeof(*s.names));
    errno = before;
    return (int)s.n;
}

EXPORT int scandir(const char *path, struct dirent ***names, scandir_filter *filter,
                   scandir_compare *compare)
{
    if (!state.active)
        return REAL(scandir)(path, names, filter, compare);
    return scan_dir(opendir(path), names, filter, compare);
}

EXPORT int scandirat(int at, const char *path, struct dirent ***names, scandir_filter *filter,
                     scandir_compare *compare)
{
    if (!state.active)
        return REAL(scandirat)(at, path, names, filter, compare);
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    return scan_dir(dir, names, filter, compare);
}

static void *glob_opendir(const char *path)
{
    return opendir(path);
}

static struct dirent *glob_readdir(void *dir)
{
    return readdir(dir);
}

static void glob_closedir(void *dir)
{
    closedir(dir);
}

/* libc's glob() takes other functions for its look-ups: ours, which know real directories too. */
EXPORT int glob(const char *pattern, int flags, int (*failed)(const char *, int), glob_t *found)
{
    if (!state.active || (flags & GLOB_ALTDIRFUNC))
        return REAL(glob)(pattern, flags, failed, found);
    found->gl_opendir = glob_opendir;
    found->gl_readdir = glob_readdir;
    found->gl_closedir = glob_closedir;
    found->gl_stat = stat;
    found->gl_lstat = lstat;
    int r = REAL(glob)(pattern, flags | GLOB_ALTDIRFUNC, failed, found);
    found->gl_flags &= ~GLOB_ALTDIRFUNC;
    return r;
}
