/* Directories. A DIR of ours comes from a slab of our own, so that it can be told from libc's. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/dirstream.h"
#include "preload/hook.h"
#include "preload/slab.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

struct mapped_dir {
    int fd;
    struct dirstream *stream; /* the file's */
    struct dirent entry;
};

static struct slab dirs = {.item_bytes = SLAB_ITEM_BYTES(struct mapped_dir)};

static struct mapped_dir *ours(DIR *dir)
{
    return slab_owns(&dirs, dir) ? (struct mapped_dir *)(void *)dir : NULL;
}

static DIR *make_dir(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    struct dirstream *stream = f ? dirstream_of(f) : NULL;
    struct mapped_dir *d = stream ? slab_take(&dirs) : NULL;
    if (!d)
        return hook_null(ENOMEM);
    d->fd = fd;
    d->stream = stream;
    return (DIR *)(void *)d;
}

static DIR *open_mapped(const struct target *t)
{
    int fd = file_open(t, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return hook_null(fd);
    DIR *dir = make_dir(fd);
    if (!dir)
        close(fd);
    return dir;
}

EXPORT DIR *opendir(const char *path)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0)
        return REAL(opendir)(path);
    return r < 0 ? hook_null(r) : open_mapped(&t);
}

EXPORT DIR *fdopendir(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(fdopendir)(fd);
    if (f->kind != FILE_DIRECTORY || f->path_only)
        return hook_null(f->kind == FILE_DIRECTORY ? EBADF : ENOTDIR);
    return make_dir(fd);
}

static void fill_dirent(struct dirent *to, const struct dir_entry *e, uint64_t position)
{
    to->d_ino = e->inode;
    to->d_off = (off_t)position;
    to->d_reclen = sizeof(*to);
    to->d_type = e->kind == WIRE_DIR ? DT_DIR : DT_REG;
    memcpy(to->d_name, e->name, e->name_len);
    to->d_name[e->name_len] = '\0';
}

/* 1, 0 at the end, or -errno. */
static int read_entry(struct mapped_dir *d, struct dirent *entry)
{
    struct dir_entry e;
    int r = dirstream_next(d->stream, &e);
    if (r > 0)
        fill_dirent(entry, &e, dirstream_tell(d->stream));
    return r;
}

EXPORT struct dirent *readdir(DIR *dir)
{
    struct mapped_dir *d = ours(dir);
    if (!d)
        return REAL(readdir)(dir);
    int r = read_entry(d, &d->entry);
    if (r < 0)
        return hook_null(r);
    return r > 0 ? &d->entry : NULL;
}

EXPORT int readdir_r(DIR *dir, struct dirent *entry, struct dirent **result)
{
    struct mapped_dir *d = ours(dir);
    if (!d)
        return REAL(readdir_r)(dir, entry, result);
    int r = read_entry(d, entry);
    *result = r > 0 ? entry : NULL;
    return r < 0 ? -r : 0;
}

EXPORT long telldir(DIR *dir)
{
    struct mapped_dir *d = ours(dir);
    return d ? (long)dirstream_tell(d->stream) : REAL(telldir)(dir);
}

EXPORT void seekdir(DIR *dir, long position)
{
    struct mapped_dir *d = ours(dir);
    if (!d)
        REAL(seekdir)(dir, position);
    else if (position >= 0)
        dirstream_seek(d->stream, (uint64_t)position);
}

EXPORT void rewinddir(DIR *dir)
{
    struct mapped_dir *d = ours(dir);
    if (d)
        dirstream_seek(d->stream, 0);
    else
        REAL(rewinddir)(dir);
}

EXPORT int dirfd(DIR *dir)
{
    struct mapped_dir *d = ours(dir);
    return d ? d->fd : REAL(dirfd)(dir);
}

EXPORT int closedir(DIR *dir)
{
    struct mapped_dir *d = ours(dir);
    if (!d)
        return REAL(closedir)(dir);
    int fd = d->fd;
    slab_give(&dirs, d);
    return close(fd);
}

/* --- getdents64 ------------------------------------------------------------------------- */

static size_t record_bytes(const struct dir_entry *e)
{
    return (offsetof(struct dirent, d_name) + e->name_len + 1 + 7) & ~(size_t)7;
}

static ssize_t fill_records(struct dirstream *s, char *buf, size_t n)
{
    size_t used = 0;
    for (;;) {
        struct dir_entry e;
        uint64_t before = dirstream_tell(s);
        int r = dirstream_next(s, &e);
        if (r < 0)
            return used ? (ssize_t)used : r;
        if (r == 0)
            return (ssize_t)used;
        size_t bytes = record_bytes(&e);
        if (used + bytes > n) {
            dirstream_push_back(s);
            return used ? (ssize_t)used : -EINVAL;
        }
        struct dirent *record = (struct dirent *)(void *)(buf + used);
        fill_dirent(record, &e, before + 1);
        record->d_reclen = (unsigned short)bytes;
        used += bytes;
    }
}

EXPORT ssize_t getdents64(int fd, void *buf, size_t n)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(getdents64)(fd, buf, n);
    if (f->kind != FILE_DIRECTORY || f->path_only)
        return hook_result(f->path_only ? -EBADF : -ENOTDIR);
    struct dirstream *s = dirstream_of(f);
    return hook_result(s ? fill_records(s, buf, n) : -ENOMEM);
}

/* --- scandir, glob: libc's own would not come back through our opendir ------------------- */

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
    struct dirent *copy = malloc(sizeof(*copy));
    if (!copy)
        return false;
    *copy = *entry;
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
    struct dirent entry;
    int r = 0;
    if (!dir)
        return -1;
    while ((r = read_entry(ours(dir), &entry)) > 0)
        if ((!filter || filter(&entry)) && !scan_add(&s, &entry)) {
            r = -ENOMEM;
            break;
        }
    closedir(dir);
    if (r < 0)
        return scan_fail(&s, -r);
    if (compare && s.n)
        qsort(s.names, s.n, sizeof(*s.names), (int (*)(const void *, const void *))compare);
    *names = s.names ? s.names : malloc(sizeof(*s.names));
    return (int)s.n;
}

EXPORT int scandir(const char *path, struct dirent ***names, scandir_filter *filter,
                   scandir_compare *compare)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0)
        return REAL(scandir)(path, names, filter, compare);
    return r < 0 ? (int)hook_result(r) : scan_dir(open_mapped(&t), names, filter, compare);
}

EXPORT int scandirat(int at, const char *path, struct dirent ***names, scandir_filter *filter,
                     scandir_compare *compare)
{
    struct target t;
    int r = hook_find(at, path, &t);
    if (r == 0)
        return REAL(scandirat)(at, path, names, filter, compare);
    return r < 0 ? (int)hook_result(r) : scan_dir(open_mapped(&t), names, filter, compare);
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
