#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* getwd and readdir_r are deprecated, and used all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

struct real_functions real;

/* Each row's type must be libc's. */
#define HOOK(type, name, parameters)                                                               \
    _Static_assert(__builtin_types_compatible_p(__typeof__(name), type parameters), #name);
#define OLD(type, name, parameters)
#define ROFS(type, name, parameters, arguments, at, path, change)    HOOK(type, name, parameters)
#define FDNO(type, name, parameters, arguments, fd, error)           HOOK(type, name, parameters)
#define GIVES(type, name, parameters, arguments, fd, error, need)    HOOK(type, name, parameters)
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

/* Before glibc 2.33 programs brought these along, made of others that libc exports. */
#ifdef __x86_64__
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif

static int old_stat(const char *path, struct stat *st)
{
    return REAL(__xstat)(STAT_VERSION, path, st);
}

static int old_lstat(const char *path, struct stat *st)
{
    return REAL(__lxstat)(STAT_VERSION, path, st);
}

static int old_fstat(int fd, struct stat *st)
{
    return REAL(__fxstat)(STAT_VERSION, fd, st);
}

static int old_fstatat(int at, const char *path, struct stat *st, int flags)
{
    return REAL(__fxstatat)(STAT_VERSION, at, path, st, flags);
}

static int old_mknodat(int at, const char *path, mode_t mode, dev_t device)
{
    return (int)syscall(SYS_mknodat, at, path, mode, (unsigned)device);
}

static int old_mknod(const char *path, mode_t mode, dev_t device)
{
    return old_mknodat(AT_FDCWD, path, mode, device);
}

static void *substitute(const char *name)
{
    static const struct {
        const char *name;
        void *function;
    } table[] = {
        {"stat", (void *)old_stat},       {"lstat", (void *)old_lstat},
        {"fstat", (void *)old_fstat},     {"fstatat", (void *)old_fstatat},
        {"mknodat", (void *)old_mknodat}, {"mknod", (void *)old_mknod},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].function;
    return (void *)missing;
}

void *real_resolve(void **place, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    return *place = found ? found : substitute(name);
}

void real_resolve_all(void)
{
#define HOOK(type, name, parameters) (void)REAL(name);
#define OLD(type, name, parameters)  HOOK(type, name, parameters)
#include "preload/symbols.def"
}
