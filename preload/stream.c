#include "preload/stream.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "preload/fdtab.h"
#include "preload/keep.h"
#include "preload/materialise.h"
#include "preload/offset.h"
#include "preload/real.h"
#include "preload/slab.h"

/* The hooks' names on purpose: they know the descriptor. */
static ssize_t cookie_read(void *cookie, char *buf, size_t n)
{
    return read((int)(intptr_t)cookie, buf, n);
}

static int cookie_seek(void *cookie, off64_t *offset, int whence)
{
    off_t at = lseek((int)(intptr_t)cookie, *offset, whence);
    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

static int cookie_close(void *cookie)
{
    return close((int)(intptr_t)cookie);
}

/* --- wide characters ---------------------------------------------------------------------
 * libc makes cookie streams without the part that fgetws() and its kin need, and they crash. That
 * part (an opaque struct behind FILE's _wide_data) is the same in every new stream, so each of ours
 * gets a copy of the one in a stream that libc opened. From the first wide character on libc reads
 * the descriptor itself: stream_before_wide() puts a real file there; without it, reads fail with
 * EBADF. */

#define WIDE_BYTES 512

struct wide {
    _Alignas(64) char bytes[WIDE_BYTES];
};

static struct slab wides = {.item_bytes = SLAB_ITEM_BYTES(struct wide)};
static struct wide pristine;
static atomic_int pristine_bytes; /* 0: not looked at yet; -1: can't be had */

static int learn_wide(void)
{
    int bytes = atomic_load(&pristine_bytes);
    if (bytes)
        return bytes;
    FILE *donor = REAL(fopen)("/dev/null", "re");
    if (!donor)
        return -1;
    size_t at = (size_t)((char *)donor->_wide_data - (char *)donor);
    size_t all = malloc_usable_size(donor);
    bytes = -1;
    if (donor->_wide_data && at < all) {
        bytes = (int)(all - at < WIDE_BYTES ? all - at : WIDE_BYTES);
        memcpy(pristine.bytes, donor->_wide_data, (size_t)bytes);
    }
    REAL(fclose)(donor);
    atomic_store(&pristine_bytes, bytes);
    return bytes;
}

static void give_wide(FILE *stream)
{
    int bytes = learn_wide();
    struct wide *wide = bytes > 0 ? slab_take(&wides) : NULL;
    if (!wide)
        return;
    memcpy(wide->bytes, pristine.bytes, (size_t)bytes);
    stream->_wide_data = (struct _IO_wide_data *)(void *)wide;
    stream->_mode = 0; /* neither bytes nor wide characters yet */
}

FILE *stream_new(int fd)
{
    cookie_io_functions_t functions = {
        .read = cookie_read, .seek = cookie_seek, .close = cookie_close};
    FILE *stream = fopencookie((void *)(intptr_t)fd, "r", functions);
    if (!stream)
        return NULL;
    stream->_fileno = fd;
    give_wide(stream);
    return stream;
}

int stream_close(FILE *stream)
{
    void *wide = stream->_wide_data;
    /* libc closes the descriptor of its own streams by itself: the hook for close() doesn't see it.
     */
    if (stream->_fileno >= 0 && fdtab_has(stream->_fileno) && !state_in_vfork_child()) {
        keep_before_close(stream->_fileno);
        fdtab_drop(stream->_fileno);
    }
    int r = REAL(fclose)(stream);
    if (slab_owns(&wides, wide))
        slab_give(&wides, wide);
    return r;
}

void stream_before_wide(FILE *stream)
{
    if (!slab_owns(&wides, stream->_wide_data) || stream->_mode > 0)
        return;
    int fd = stream->_fileno;
    PINNED struct file *f = fdtab_get(fd);
    int real_file = f ? materialise_file(f) : -EBADF;
    if (real_file < 0)
        return;
    off_t at = offset_tell(f, fd);
    int flags = REAL(fcntl)(fd, F_GETFD);
    fdtab_drop(fd);
    REAL(dup3)(real_file, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    REAL(lseek)(fd, at, SEEK_SET);
    REAL(close)(real_file);
}

void stream_replace_stdin(void)
{
    FILE *stream = stream_new(STDIN_FILENO);
    if (stream)
        stdin = stream;
}
