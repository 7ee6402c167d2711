/* libc's own functions, behind the names that the library exports. */
#ifndef WARMPATH_PRELOAD_REAL_H
#define WARMPATH_PRELOAD_REAL_H

#include "preload/libc.h"

struct real_functions {
#define HOOK(type, name, parameters)                                 type(*name) parameters;
#define OLD(type, name, parameters)                                  type(*name) parameters;
#define ROFS(type, name, parameters, arguments, at, path, change)    type(*name) parameters;
#define FDNO(type, name, parameters, arguments, fd, error)           type(*name) parameters;
#define GIVES(type, name, parameters, arguments, fd, error, need)    type(*name) parameters;
#define NOSUP(type, name, parameters, arguments, at, path, error, r) type(*name) parameters;
#define NEWFD(type, name, parameters, arguments)                     type(*name) parameters;
#define TWIN(name, of)
#include "preload/symbols.def"
#undef HOOK
#undef OLD
#undef ROFS
#undef FDNO
#undef GIVES
#undef NOSUP
#undef NEWFD
#undef TWIN
};

extern struct real_functions real;

/* Looks all of them up; in the constructor, so that no hook has to later. */
void real_resolve_all(void);

/* Looks one up and keeps it: for hooks that run before the constructor. Never NULL: a libc without
 * the function gets one that fails with ENOSYS. */
void *real_resolve(void **place, const char *name);

/* libc's own NAME. */
#define REAL(name)                                                                                 \
    (__builtin_expect(real.name != NULL, 1)                                                        \
         ? real.name                                                                               \
         : (__typeof__(real.name))real_resolve((void **)&real.name, #name))

#endif
