#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>

/* getwd and readdir_r are deprecated, and used all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

struct real_functions real;

/* Each row's type must be libc's. */
#define HOOK(type, name, parameters)                                                               \
    _Static_assert(__builtin_types_compatible_p(__typeof__(name), type parameters), #name);
#define OLD(type, name, parameters)
#define ROFS(type, name, parameters, arguments, at, path)            HOOK(type, name, parameters)
#define ROFS2(type, name, parameters, arguments, at, path, at2, to)  HOOK(type, name, parameters)
#define FDNO(type, name, parameters, arguments, fd, error)           HOOK(type, name, parameters)
#define NOSUP(type, name, parameters, arguments, at, path, error, r) HOOK(type, name, parameters)
#define NEWFD(type, name, parameters, arguments)                     HOOK(type, name, parameters)
#define TWIN(name, of)
#include "preload/symbols.def"
#undef HOOK
#undef OLD

static long missing(void)
{
    errno = ENOSYS;
    return -1;
}

void *real_resolve(void **place, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    return *place = found ? found : (void *)missing;
}

void real_resolve_all(void)
{
#define HOOK(type, name, parameters) (void)REAL(name);
#define OLD(type, name, parameters)  HOOK(type, name, parameters)
#include "preload/symbols.def"
}
