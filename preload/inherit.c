#include "preload/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/placeholder_name.h"
#include "preload/client.h"
#include "preload/cwd.h"
#include "preload/fdtab.h"
#include "preload/longname.h"
#include "preload/offset.h"
#include "preload/real.h"

/* What the kernel says of a descriptor's name in /proc. False: it stands for nothing mapped. */
static bool read_placeholder(const char *name, char out[PATH_MAX])
{
    long n = syscall(SYS_readlinkat, AT_FDCWD, name, out, PATH_MAX - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    return strncmp(out, PLACEHOLDER_LINK, strlen(PLACEHOLDER_LINK)) == 0 || cwd_standin_path(out);
}

static bool read_fd_link(int fd, char out[PATH_MAX])
{
    char name[32];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return read_placeholder(name, out);
}

struct parsed {
    unsigned style;
    struct object_name name;
    char etag[WIRE_ETAG_MAX];
    char bucket[256];
    const char *key; /* in the link, or in `noted` */
    char noted[LONGNAME_MAX + 1];
};

/* "…:STYLE:SIZE:MTIME:ETAG:BUCKET/KEY (deleted)", or a hash in place of the name; false when that
 * is not known here. */
static bool parse_link(char *link, struct parsed *p)
{
    char *text = link + strlen(PLACEHOLDER_LINK);
    unsigned long long size;
    long long mtime;
    int used = 0;
    static const char deleted[] = " (deleted)";
    size_t len = strlen(text), tail = sizeof(deleted) - 1;
    if (len > tail && strcmp(text + len - tail, deleted) == 0)
        text[len - tail] = '\0';
    if (sscanf(text, "%u:%llu:%lld:%129[^:]:%n", &p->style, &size, &mtime, p->etag, &used) != 4 ||
        used == 0)
        return false;
    const char *name = text + used, *slash = strchr(name, '/');
    if (!slash && longname_find(name, p->noted)) {
        name = p->noted;
        slash = strchr(name, '/');
    }
    if (!slash || (size_t)(slash - name) >= sizeof(p->bucket))
        return false;
    memcpy(p->bucket, name, (size_t)(slash - name));
    p->bucket[slash - name] = '\0';
    p->key = slash + 1;
    p->name.size_bytes = size;
    p->name.mtime_s = mtime;
    return strlen(p->key) <= WIRE_KEY_MAX;
}

/* The mapping through which the object can be seen here, and its local path. */
static bool find_target(const struct parsed *p, struct target *t)
{
    char path[PATH_MAX + 1];
    for (int i = 0; i < state.map.n; i++) {
        const struct mapping *m = &state.map.entries[i];
        if (strcmp(m->bucket, p->bucket) != 0 || (unsigned)m->style != p->style ||
            strncmp(p->key, m->key_prefix, m->key_prefix_len) != 0)
            continue;
        int n = snprintf(path, sizeof(path), "%s/%s", m->prefix, p->key + m->key_prefix_len);
        return n > 0 && (size_t)n < sizeof(path) && target_set(t, m, path, (size_t)n) > 0;
    }
    return false;
}

/* What a placeholder's or a stand-in's name stands for here. Only a placeholder's fills `p`. */
static bool find_link(char *link, struct parsed *p, struct target *t)
{
    const char *directory = cwd_standin_path(link);
    if (!directory)
        return parse_link(link, p) && find_target(p, t);
    size_t len = strlen(directory);
    const struct mapping *m = map_find(&state.map, directory, len);
    return m && target_set(t, m, directory, len) > 0;
}

struct file *inherit_file(char *link)
{
    struct parsed p;
    struct target t;
    bool is_directory = cwd_standin_path(link);
    if (!find_link(link, &p, &t))
        return NULL;
    if (is_directory)
        return file_unlisted_directory(&t);
    if (client_greet(true) < 0)
        return NULL;
    p.name.mapping = t.mapping;
    p.name.key = t.key;
    p.name.etag = p.etag;
    p.name.block_bytes = state.block_bytes;
    return file_unlisted(&t, &p.name);
}

bool inherit_is_of(int fd, const struct file *f)
{
    struct stat st;
    struct parsed p;
    char link[PATH_MAX];
    if (REAL(fstat)(fd, &st) < 0)
        return false;
    if (f->kind == FILE_DIRECTORY || S_ISDIR(st.st_mode))
        return f->kind == FILE_DIRECTORY && S_ISDIR(st.st_mode);
    if (!read_fd_link(fd, link) || (uint64_t)st.st_size != f->object->size_bytes)
        return false;
    return !parse_link(link, &p) ||
           (strcmp(p.etag, f->object->etag) == 0 && strcmp(p.key, f->object->key) == 0);
}

/* One that is here under a number of its own: its offset is the kernel's. */
static struct file *open_by_kernel(char *link)
{
    struct file *f = inherit_file(link);
    if (f && f->kind == FILE_REGULAR)
        offset_set_shared(f);
    return f;
}

static void adopt(int fd, char *link, void *unused)
{
    (void)unused;
    struct file *f = open_by_kernel(link);
    if (!f)
        return; /* reads then fail with EBADF: better than the wrong bytes */
    if (!fdtab_set(fd, f))
        file_unref(f);
}

struct linux_dirent {
    uint64_t ino;
    int64_t off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

void inherit_each(void (*visit)(int fd, char *link, void *user), void *user)
{
    char records[2048], link[PATH_MAX];
    int dir = REAL(open)("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    long n;
    while ((n = syscall(SYS_getdents64, dir, records, sizeof(records))) > 0) {
        for (long at = 0; at < n;) {
            struct linux_dirent *e = (struct linux_dirent *)(void *)(records + at);
            at += e->reclen;
            int fd = atoi(e->name);
            if (e->name[0] != '.' && fd != dir && read_fd_link(fd, link))
                visit(fd, link, user);
        }
    }
    syscall(SYS_close, dir);
}

void inherit_files(void)
{
    inherit_each(adopt, NULL);
}

void inherit_descriptor(int fd)
{
    char link[PATH_MAX];
    if (read_fd_link(fd, link))
        adopt(fd, link, NULL);
}

struct file *inherit_unlisted(int fd)
{
    char link[PATH_MAX];
    int saved_errno = errno;
    struct file *f = read_fd_link(fd, link) ? open_by_kernel(link) : NULL;
    errno = saved_errno;
    return f;
}

bool inherit_target(const char *name, struct target *t)
{
    char link[PATH_MAX];
    struct parsed p;
    return read_placeholder(name, link) && find_link(link, &p, t);
}

void inherit_prepare(struct file *f, int fd)
{
    if (f->kind == FILE_REGULAR && offset_is_shared(f))
        return;
    if (state_in_vfork_child() && !inherit_is_of(fd, f))
        return;
    if (f->kind == FILE_DIRECTORY) {
        cwd_name_standin(fd, f->target.path);
        return;
    }
    longname_note(f->object);
    offset_share(f, fd);
}
