/* Streams: libc's own, over functions of ours. The stream's descriptor is the placeholder, so that
 * fileno(), std::ifstream and others who go around the stream find the same file. */
#include <stdio.h>
#include <string.h>

#include "preload/hook.h"
#include "preload/materialise.h"
#include "preload/stream.h"

/* "r", "rb", "rce" … → flags of open(); -1 for what opens for writing. */
static int read_flags(const char *mode)
{
    if (mode[0] != 'r' || strchr(mode, '+'))
        return -1;
    return O_RDONLY | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *open_stream(const struct target *t, const char *mode)
{
    if (!mode[0] || !strchr("rwa", mode[0]))
        return hook_null(EINVAL);
    int flags = read_flags(mode);
    int fd = flags >= 0 ? file_open(t, flags) : open(t->path, O_WRONLY | O_CREAT, 0666);
    if (fd < 0)
        return flags >= 0 ? hook_null(fd) : NULL;
    FILE *stream = stream_new(fd);
    if (!stream)
        close(fd);
    return stream;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
    struct target t;
    int r = read_flags(mode) < 0 ? hook_find_writing(AT_FDCWD, path, 0, &t)
                                 : hook_find(AT_FDCWD, path, &t);
    if (r == 0) {
        FILE *stream = REAL(fopen)(path, mode);
        r = hook_follow(!stream, AT_FDCWD, path, 0, &t);
        if (stream)
            hook_new_fd(stream->_fileno);
        if (r == 0)
            return stream;
    }
    return r < 0 ? hook_null(r) : open_stream(&t, mode);
}

EXPORT FILE *fdopen(int fd, const char *mode)
{
    if (!fdtab_has(fd))
        return REAL(fdopen)(fd, mode);
    return read_flags(mode) < 0 ? hook_null(EINVAL) : stream_new(fd);
}

/* libc puts the new file at the old number by itself: what the table had there is gone. */
static FILE *real_freopen(const char *path, const char *mode, FILE *stream)
{
    int fd = stream->_fileno;
    stream = REAL(freopen)(path, mode, stream);
    if (fd >= 0 && fdtab_has(fd) && !state_in_vfork_child())
        fdtab_drop(fd);
    return stream;
}

/* The stream stays the same FILE, and libc's reading of it doesn't pass through us: it gets a real
 * file. */
static FILE *reopen(const struct target *t, const char *mode, FILE *stream)
{
    char link[32];
    int fd = read_flags(mode) < 0 ? -EROFS : materialise(t);
    if (fd < 0) {
        stream_close(stream);
        return hook_null(fd);
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    stream = real_freopen(link, mode, stream);
    close(fd);
    return stream;
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
    struct target t;
    int r = path ? hook_find(AT_FDCWD, path, &t) : 0;
    if (r == 0)
        return real_freopen(path, mode, stream);
    if (r > 0)
        return reopen(&t, mode, stream);
    stream_close(stream);
    return hook_null(r);
}

EXPORT int fclose(FILE *stream)
{
    return stream_close(stream);
}
