/* Cleanup attributes for memory and descriptors.
 *
 * `CLEANUP_FREE char *s = strdup(x);` frees s when it leaves scope; take_ptr(s)
 * hands it on instead. Not for the preloaded library's hooks, which own no heap. */
#ifndef WARMPATH_CLEANUP_H
#define WARMPATH_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
    if (*d)
        closedir(*d);
}

#define CLEANUP_FREE     __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE    __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FCLOSE   __attribute__((cleanup(cleanup_fclose)))
#define CLEANUP_CLOSEDIR __attribute__((cleanup(cleanup_closedir)))

/* Yields the value and empties the variable, so that its cleanup does nothing. */
#define take_ptr(p)                                                                                \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
#define take_fd(fd)                                                                                \
    __extension__({                                                                                \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })

#endif
