/* Directories. A DIR of ours comes from a slab of our own, so that it can be told from libc's. */
#include <string.h>
#include <sys/syscall.h>

#include "preload/border.h"
#include "preload/dirstream.h"
#include "preload/hook.h"
#include "preload/slab.h"
#include "preload/statfill.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* telldir's answer among the names that mappings lend, and the way back: libc's are not negative.
 */
#define LENT(n) (-1 - (long)(n))

/* One of the two: */
struct our_dir {
    int fd;
    struct dirstream *stream; /* a mapped directory; it is the file's */
    DIR *local;               /* a local one that mappings lend their names to (border.h) */
    const char *path;
    size_t path_len;
    int lent; /* mappings looked at */
    struct dirent entry;
};

static struct slab dirs = {.item_bytes = SLAB_ITEM_BYTES(struct our_dir)};

static struct our_dir *ours(DIR *dir)
{
    return slab_owns(&dirs, dir) ? (struct our_dir *)(void *)dir : NULL;
}

static DIR *make_dir(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    struct dirstream *stream = f ? dirstream_of(f) : NULL;
    struct our_dir *d = stream ? slab_take(&dirs) : NULL;
    if (!d)
        return hook_null(ENOMEM);
    d->fd = fd;
    d->stream = stream;
    d->local = NULL;
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

/* What libc opened, unless a mapping lies below or over it. */
static DIR *with_border(DIR *local)
{
    const char *path;
    size_t len;
    struct target t;
    int fd = local ? REAL(dirfd)(local) : -1;
    enum border_kind kind = local ? border_of(fd, &path, &len) : BORDER_NONE;
    hook_new_fd(fd);
    if (kind == BORDER_NONE)
        return local;
    if (kind == BORDER_HIDDEN) {
        int r = target_set(&t, map_find(&state.map, path, len), path, len);
        REAL(closedir)(local);
        return r < 0 ? hook_null(r) : open_mapped(&t);
    }
    struct our_dir *d = slab_take(&dirs);
    if (!d)
        return local;
    *d = (struct our_dir){.fd = fd, .local = local, .path = path, .path_len = len};
    return (DIR *)(void *)d;
}

EXPORT DIR *opendir(const char *path)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        DIR *dir = REAL(opendir)(path);
        if ((r = hook_follow(!dir, AT_FDCWD, path, 0, &t)) == 0)
            return with_border(dir);
    }
    return r < 0 ? hook_null(r) : open_mapped(&t);
}

EXPORT DIR *fdopendir(int fd)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return with_border(REAL(fdopendir)(fd));
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

/* A mapping's name that the local directory doesn't have. */
static int read_lent(struct our_dir *d, struct dirent *entry)
{
    const char *name;
    size_t len;
    struct stat st;
    struct target t;
    while (d->lent < state.map.n) {
        if (!border_name(d->path, d->path_len, d->lent++, &name, &len) ||
            len >= sizeof(entry->d_name) || border_target(&t, d->path, d->path_len, name, len) < 0)
            continue;
        struct dir_entry e = {.name = name, .name_len = len, .kind = WIRE_DIR};
        e.inode = statfill_inode(t.mapping, t.key, t.key_len);
        fill_dirent(entry, &e, LENT(d->lent));
        int error = errno;
        long r = syscall(SYS_newfstatat, d->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW);
        errno = error;
        if (r < 0)
            return 1;
    }
    return 0;
}

/* 1, 0 at the end, or -errno. */
static int read_entry(struct our_dir *d, struct dirent *entry)
{
    struct dir_entry e;
    if (d->local) {
        int before = errno;
        errno = 0;
        struct dirent *found = d->lent ? NULL : REAL(readdir)(d->local);
        int error = errno;
        errno = before;
        if (!found)
            return error ? -error : read_lent(d, entry);
        memcpy(entry, found, found->d_reclen < sizeof(*entry) ? found->d_reclen : sizeof(*entry));
        return 1;
    }
    int r = dirstream_next(d->stream, &e);
    if (r > 0)
        fill_dirent(entry, &e, dirstream_tell(d->stream));
    return r;
}

EXPORT struct dirent *readdir(DIR *dir)
{
    struct our_dir *d = ours(dir);
    if (!d)
        return REAL(readdir)(dir);
    int r = read_entry(d, &d->entry);
    if (r < 0)
        return hook_null(r);
    return r > 0 ? &d->entry : NULL;
}

EXPORT int readdir_r(DIR *dir, struct dirent *entry, struct dirent **result)
{
    struct our_dir *d = ours(dir);
    if (!d)
        return REAL(readdir_r)(dir, entry, result);
    int r = read_entry(d, entry);
    *result = r > 0 ? entry : NULL;
    return r < 0 ? -r : 0;
}

EXPORT long telldir(DIR *dir)
{
    struct our_dir *d = ours(dir);
    if (!d)
        return REAL(telldir)(dir);
    if (d->stream)
        return (long)dirstream_tell(d->stream);
    return d->lent ? LENT(d->lent) : REAL(telldir)(d->local);
}

EXPORT void seekdir(DIR *dir, long position)
{
    struct our_dir *d = ours(dir);
    if (!d) {
        REAL(seekdir)(dir, position);
    } else if (d->local) {
        d->lent = position < 0 ? (int)LENT(position) : 0;
        if (position >= 0)
            REAL(seekdir)(d->local, position);
    } else if (position >= 0) {
        dirstream_seek(d->stream, (uint64_t)position);
    }
}

EXPORT void rewinddir(DIR *dir)
{
    struct our_dir *d = ours(dir);
    if (d && d->stream) {
        dirstream_seek(d->stream, 0);
        return;
    }
    if (d)
        d->lent = 0;
    REAL(rewinddir)(d ? d->local : dir);
}

EXPORT int dirfd(DIR *dir)
{
    struct our_dir *d = ours(dir);
    return d ? d->fd : REAL(dirfd)(dir);
}

EXPORT int closedir(DIR *dir)
{
    struct our_dir *d = ours(dir);
    if (!d)
        return REAL(closedir)(dir);
    int fd = d->fd;
    DIR *local = d->local;
    slab_give(&dirs, d);
    return local ? REAL(closedir)(local) : close(fd);
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
    /* A vfork child may have another file at the number. */
    if (!f || (f->kind != FILE_DIRECTORY && state_in_vfork_child()))
        return REAL(getdents64)(fd, buf, n);
    if (f->path_only)
        return hook_result(-EBADF);
    if (f->kind != FILE_DIRECTORY)
        return hook_result(-ENOTDIR);
    struct dirstream *s = dirstream_of(f);
    return hook_result(s ? fill_records(s, buf, n) : -ENOMEM);
}

/* The same records; `base` gets where they began. */
EXPORT ssize_t getdirentries(int fd, char *buf, size_t n, off_t *base)
{
    PINNED struct file *f = fdtab_get(fd);
    if (!f)
        return REAL(getdirentries)(fd, buf, n, base);
    off_t at = f->kind == FILE_DIRECTORY ? dirstream_seek_fd(f, 0, SEEK_CUR) : 0;
    if (at < 0)
        return hook_result(at);
    ssize_t got = getdents64(fd, buf, n);
    if (got >= 0)
        *base = at;
    return got;
}
