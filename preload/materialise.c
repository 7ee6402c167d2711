#include "preload/materialise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/fdtab.h"
#include "preload/memory.h"
#include "preload/real.h"

#define PIECE_BYTES (1 << 20)

static int nameless_file(void)
{
    const char *dir = getenv("TMPDIR");
    int fd = REAL(open)(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) /* a file system without such files, or a directory that can't be written */
        fd = (int)syscall(SYS_memfd_create, "warmpath materialised", MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t r = REAL(write)(fd, data, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        data += r;
        n -= (size_t)r;
    }
    return 0;
}

int materialise_copy(struct file *f, int to)
{
    char *piece = memory_map(PIECE_BYTES);
    off_t at = 0;
    ssize_t n = piece ? 0 : -ENOMEM;
    while (piece && (n = file_pread(f, piece, PIECE_BYTES, at)) > 0) {
        int r = write_all(to, piece, (size_t)n);
        if (r < 0) {
            n = r;
            break;
        }
        at += n;
    }
    if (piece)
        memory_unmap(piece, PIECE_BYTES);
    if (n < 0)
        return (int)n;
    return REAL(lseek)(to, 0, SEEK_SET) < 0 ? -errno : 0;
}

int materialise_file(struct file *f)
{
    int to = nameless_file();
    int r = to < 0 ? to : materialise_copy(f, to);
    if (r < 0 && to >= 0)
        syscall(SYS_close, to);
    return r < 0 ? r : to;
}

int materialise(const struct target *t)
{
    int error;
    PINNED struct file *f = file_open_unlisted(t, &error);
    return f ? materialise_file(f) : error;
}
