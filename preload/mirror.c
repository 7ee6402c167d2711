#include "preload/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/hash.h"
#include "common/options.h"
#include "preload/fault.h"
#include "preload/fdtab.h"
#include "preload/materialise.h"
#include "preload/real.h"

#define ID_DIGITS 16

/* Candidates, best first: the cache's disk has room, the runtime directory is often memory. */
static struct {
    char dirs[OPTION_COPIES_DIRS][512];
    uint64_t endpoint; /* two jobs may reach buckets of one name at different places */
} mirror;

static _Atomic int chosen; /* index + 1 of the directory that works; -1: none does; 0: not tried */

void mirror_init(void)
{
    static const char *const variables[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
                                            "AWS_PROFILE"};
    for (int i = 0; i < OPTION_COPIES_DIRS; i++)
        if (!option_copies_dir(i, mirror.dirs[i], sizeof(mirror.dirs[i])))
            mirror.dirs[i][0] = '\0';
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i]);
        mirror.endpoint =
            hash_bytes(value ? value : "", value ? strlen(value) : 0, mirror.endpoint);
    }
}

/* --- places ---------------------------------------------------------------------------- */

/* Makes the directories above `path`, those behind `from` bytes of it. 0 or -errno. */
static int make_parents(char *path, size_t from)
{
    int saved_errno = errno;
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int r = REAL(mkdir)(path, 0700);
        *slash = '/';
        if (r < 0 && errno != EEXIST)
            return -errno;
    }
    errno = saved_errno;
    return 0;
}

/* A directory of the user's own, on a file system from which programs may run. */
static bool is_usable(const char *dir)
{
    struct stat st;
    struct statvfs system;
    if (!*dir || (REAL(mkdir)(dir, 0700) < 0 && errno != EEXIST))
        return false;
    return REAL(lstat)(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 022) && REAL(access)(dir, W_OK) == 0 &&
           REAL(statvfs)(dir, &system) == 0 && !(system.f_flag & ST_NOEXEC);
}

static const char *directory(void)
{
    int saved_errno = errno;
    int known = atomic_load(&chosen);
    for (int i = 0; i < OPTION_COPIES_DIRS && known == 0; i++)
        if (is_usable(mirror.dirs[i]))
            known = i + 1;
    if (known == 0)
        known = -1;
    atomic_store(&chosen, known);
    errno = saved_errno;
    return known > 0 ? mirror.dirs[known - 1] : NULL;
}

static uint64_t id_of(const struct mapping *m)
{
    uint64_t id = hash_bytes(m->bucket, m->bucket_len, mirror.endpoint);
    return hash_bytes(m->key_prefix, m->key_prefix_len, id);
}

bool mirror_path(const struct target *t, char *out, size_t size)
{
    const char *dir = directory();
    if (!dir)
        return false;
    int n =
        snprintf(out, size, "%s/%016llx%s", dir, (unsigned long long)id_of(t->mapping), t->path);
    return n > 0 && (size_t)n < size;
}

const char *mirror_origin(const char *real_path)
{
    for (int i = 0; i < OPTION_COPIES_DIRS; i++) {
        size_t len = strlen(mirror.dirs[i]);
        if (len && strncmp(real_path, mirror.dirs[i], len) == 0 && real_path[len] == '/' &&
            strspn(real_path + len + 1, "0123456789abcdef") == ID_DIGITS &&
            real_path[len + 1 + ID_DIGITS] == '/')
            return real_path + len + 1 + ID_DIGITS;
    }
    return NULL;
}

const char *mirror_shown(char *real_path)
{
    static const char deleted[] = " (deleted)";
    const char *origin = mirror_origin(real_path);
    size_t len = strlen(real_path), tail = sizeof(deleted) - 1;
    if (origin && len > tail && strcmp(real_path + len - tail, deleted) == 0)
        real_path[len - tail] = '\0';
    return origin ? origin : real_path;
}

/* --- copies ---------------------------------------------------------------------------- */

/* The version, where any file system keeps it: the object's time, and its ETag in the fraction. */
static struct timespec stamp_of(const struct object *o)
{
    return (struct timespec){.tv_sec = o->mtime_s,
                             .tv_nsec =
                                 (long)(hash_bytes(o->etag, strlen(o->etag), 0) % 1000000000)};
}

static bool is_current(const char *path, const struct object *o)
{
    struct stat st;
    struct timespec want = stamp_of(o);
    int saved_errno = errno;
    bool found = REAL(lstat)(path, &st) == 0;
    errno = saved_errno;
    return found && S_ISREG(st.st_mode) && (uint64_t)st.st_size == o->size_bytes &&
           st.st_mtim.tv_sec == want.tv_sec && st.st_mtim.tv_nsec == want.tv_nsec;
}

static int fill(int fd, struct file *f)
{
    struct timespec stamp = stamp_of(f->object), times[2] = {stamp, stamp};
    int r = materialise_copy(f, fd);
    if (r == 0 && (REAL(fchmod)(fd, 0555) < 0 || REAL(futimens)(fd, times) < 0))
        r = -errno;
    return r;
}

static int make_copy(struct file *f, char *path, size_t len)
{
    char draft[MIRROR_PATH_MAX + 32];
    const char *dir = directory();
    int r = make_parents(path, strlen(dir) + 1);
    if (r < 0)
        return r;
    snprintf(draft, sizeof(draft), "%.*s.%d.%d", (int)len, path, (int)getpid(),
             (int)syscall(SYS_gettid));
    int fd = REAL(open)(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    r = fill(fd, f);
    syscall(SYS_close, fd);
    /* Another process may have been faster: what runs from its copy keeps its name. */
    bool needless = r == 0 && is_current(path, f->object);
    if (r == 0 && !needless && REAL(rename)(draft, path) < 0)
        r = -errno;
    if (r < 0 || needless)
        REAL(unlink)(draft);
    return r;
}

int mirror_file(struct file *f, char *out, size_t size)
{
    static const char nowhere[] =
        "to run or load it a copy is needed, and neither the cache directory nor the runtime "
        "directory is one of your own from which programs may be run";
    if (!mirror_path(&f->target, out, size)) {
        fault_tell(f->target.path, EACCES, nowhere, sizeof(nowhere) - 1);
        return -EACCES;
    }
    if (is_current(out, f->object))
        return 0;
    int r = make_copy(f, out, strlen(out));
    if (r < 0) {
        char why[MIRROR_PATH_MAX + 64];
        int n = snprintf(why, sizeof(why), "its copy %s can't be made", out);
        fault_tell(f->target.path, -r, why, (size_t)n);
    }
    return r;
}

int mirror_get(const struct target *t, char *out, size_t size)
{
    int r;
    PINNED struct file *f = file_open_unlisted(t, &r);
    return f ? mirror_file(f, out, size) : r;
}
