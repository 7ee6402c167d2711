#include "preload/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "preload/target.h"

bool walk_is_ours(const char *path, bool follows_links)
{
    int error = errno;
    if (!state.active || !path || follows_links)
        return state.active && path;
    char *real = realpath(path, NULL); /* the hook: it finds mapped ones too */
    size_t len = real ? strlen(real) : 0;
    bool ours = real && (map_find(&state.map, real, len) || map_below(&state.map, real, len));
    struct target t;
    if (!real) /* what isn't there: is it the mapping that hasn't got it? */
        ours = target_find(AT_FDCWD, &path, &t) > 0;
    free(real);
    errno = error;
    return ours;
}
