/* FILE streams over mapped descriptors. */
#ifndef WARMPATH_PRELOAD_STREAM_H
#define WARMPATH_PRELOAD_STREAM_H

#include <stdio.h>

/* A stream for reading that closes `fd` with itself, or NULL with errno. */
FILE *stream_new(int fd);

/* Before the first wide character is read from any stream. */
void stream_before_wide(FILE *stream);

/* fclose() for any stream. */
int stream_close(FILE *stream);

/* Standard input is a mapped file that the process was started with: makes `stdin` read it. */
void stream_replace_stdin(void);

#endif
