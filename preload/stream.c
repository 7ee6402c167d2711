#include "preload/stream.h"

#include <stdint.h>
#include <unistd.h>

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

FILE *stream_new(int fd)
{
    cookie_io_functions_t functions = {
        .read = cookie_read, .seek = cookie_seek, .close = cookie_close};
    FILE *stream = fopencookie((void *)(intptr_t)fd, "r", functions);
    if (stream)
        stream->_fileno = fd;
    return stream;
}

void stream_replace_stdin(void)
{
    FILE *stream = stream_new(STDIN_FILENO);
    if (stream)
        stdin = stream;
}
