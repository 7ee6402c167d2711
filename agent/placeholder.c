#include "agent/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/placeholder_name.h"

#define TEMPLATES_MAX 8192 /* or a quarter of the descriptors that the agent may have */

/* One memfd for each version in use lately: all placeholders of an object on this node are one
 * inode, so that flock() works between processes. */
struct template
{
    UT_hash_handle hh;
    struct version_id id;
    int fd;
};

static struct template *templates;

static int make_memfd(const struct version *v, int64_t mtime_s)
{
    char name[PLACEHOLDER_NAME_MAX + 1];
    placeholder_name(name, v->style, v->size_bytes, mtime_s, v->etag, v->bucket, v->key);
    CLEANUP_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Not to be read, even when opened anew through /proc (root may all the same). */
    if (fd < 0 || ftruncate(fd, (off_t)v->size_bytes) < 0 || fchmod(fd, 0222) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -errno;
    return take_fd(fd);
}

static unsigned templates_max(void)
{
    static unsigned most;
    struct rlimit files;
    if (!most) {
        most = TEMPLATES_MAX;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 4 < most)
            most = (unsigned)files.rlim_cur / 4;
    }
    return most;
}

static void forget_oldest(void)
{
    struct template *t = templates;
    HASH_DEL(templates, t);
    close(t->fd);
    free(t);
}

int placeholder_open(const struct version *v, int64_t mtime_s)
{
    struct template *t;
    HASH_FIND(hh, templates, &v->id, sizeof(v->id), t);
    if (!t) {
        int fd = make_memfd(v, mtime_s);
        if (fd < 0)
            return fd;
        if (HASH_COUNT(templates) >= templates_max())
            forget_oldest();
        t = must_calloc(1, sizeof(*t));
        t->id = v->id;
        t->fd = fd;
        HASH_ADD(hh, templates, id, sizeof(t->id), t);
    }
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
