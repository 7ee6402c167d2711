#include "preload/longname.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "common/placeholder_name.h"
#include "preload/real.h"
#include "preload/state.h"

#define PATH_BYTES (sizeof(state.runtime_dir) + 64)

static bool note_path(char out[PATH_BYTES], const char *hash, const char *ending)
{
    int n = snprintf(out, PATH_BYTES, "%s/names/%s%s", state.runtime_dir, hash, ending);
    return state.runtime_dir_len && n > 0 && (size_t)n < PATH_BYTES;
}

static int create(const char *path)
{
    char dir[PATH_BYTES];
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != ENOENT || !note_path(dir, "", ""))
        return fd;
    REAL(mkdir)(dir, 0700);
    return REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* By rename: nobody sees half a note. */
static void write_note(const char *path, const char *hash, const char *name, size_t len)
{
    char ending[32], own[PATH_BYTES];
    snprintf(ending, sizeof(ending), ".%d", (int)getpid());
    int fd = note_path(own, hash, ending) ? create(own) : -1;
    if (fd < 0)
        return;
    bool whole = REAL(write)(fd, name, len) == (ssize_t)len;
    syscall(SYS_close, fd);
    if (!whole || REAL(rename)(own, path) < 0)
        REAL(unlink)(own);
}

void longname_note(const struct object *o)
{
    char name[LONGNAME_MAX + 1], hash[PLACEHOLDER_HASH_CHARS + 1], path[PATH_BYTES];
    char placeholder[PLACEHOLDER_NAME_MAX + 1];
    int saved_errno = errno;
    if (placeholder_name(placeholder, (unsigned)o->mapping->style, o->size_bytes, o->mtime_s,
                         o->etag, o->mapping->bucket, o->key))
        return;
    int n = snprintf(name, sizeof(name), "%s/%s", o->mapping->bucket, o->key);
    placeholder_hash(hash, o->mapping->bucket, o->key);
    if (n > 0 && (size_t)n < sizeof(name) && note_path(path, hash, "") &&
        REAL(access)(path, F_OK) < 0)
        write_note(path, hash, name, (size_t)n);
    errno = saved_errno;
}

bool longname_find(const char *hash, char out[LONGNAME_MAX + 1])
{
    char path[PATH_BYTES], again[PLACEHOLDER_HASH_CHARS + 1];
    int fd = note_path(path, hash, "") ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t n = REAL(read)(fd, out, LONGNAME_MAX);
    syscall(SYS_close, fd);
    out[n > 0 ? n : 0] = '\0';
    char *slash = strchr(out, '/');
    if (!slash)
        return false;
    *slash = '\0';
    placeholder_hash(again, out, slash + 1);
    *slash = '/';
    return strcmp(hash, again) == 0;
}
