/* The wrappers whose bodies follow from their rows in symbols.def. */
#include "preload/hook.h"
#include "preload/lazy.h"
#include "preload/refuse.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define HOOK(type, name, parameters)
#define OLD(type, name, parameters)
#define TWIN(name, of)

#define ROFS(type, name, parameters, arguments, at, path, change)                                  \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        struct target t;                                                                           \
        int r = hook_find_writing(at, path, AT_SYMLINK_NOFOLLOW, &t);                              \
        if (r == 0) {                                                                              \
            type done = REAL(name) arguments;                                                      \
            if ((r = hook_follow(done < 0, at, path, 0, &t)) == 0)                                 \
                return done;                                                                       \
        }                                                                                          \
        return (type)hook_result(r < 0 ? r : refuse_change(change, path, &t));                     \
    }

#define FDNO(type, name, parameters, arguments, fd, error)                                         \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        if (!fdtab_has(fd))                                                                        \
            return REAL(name) arguments;                                                           \
        return (type)hook_result(-(error));                                                        \
    }

#define GIVES(type, name, parameters, arguments, fd, error, need)                                  \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        if (fdtab_has(fd))                                                                         \
            return (type)hook_result(-(error));                                                    \
        need;                                                                                      \
        return REAL(name) arguments;                                                               \
    }

#define NEWFD(type, name, parameters, arguments)                                                   \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        return hook_new_fd(REAL(name) arguments);                                                  \
    }

#define NOSUP(type, name, parameters, arguments, at, path, error, failure)                         \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        struct target t;                                                                           \
        const char *where = path;                                                                  \
        if (hook_find_writing(at, where, AT_SYMLINK_NOFOLLOW, &t) == 0) {                          \
            type r = REAL(name) arguments;                                                         \
            if (hook_follow(r == (failure), at, where, 0, &t) == 0)                                \
                return r;                                                                          \
        }                                                                                          \
        fault_unsupported(#name, path, error);                                                     \
        errno = error;                                                                             \
        return failure;                                                                            \
    }

#include "preload/symbols.def"
