/* Loading libraries that lie under a mapping: from a copy (mirror.h), with what they need.
 *
 * libc looks at dlopen()'s return address: the caller's RUNPATH says where a name without a slash
 * is looked for, and its name space is where the library goes. So the exported names are a few
 * instructions that ask which function it is to be and then jump there, with the caller's arguments
 * and return address in place. What isn't ours goes to libc as if nobody had been in between. */
#include <dlfcn.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "preload/deepbind.h"
#include "preload/hook.h"
#include "preload/mirror.h"
#include "preload/needed.h"

#define LOCAL __attribute__((used, visibility("hidden")))

void *dl_choose_open(const char *name, int mode, long unused, void *caller);
void *dl_choose_mopen(Lmid_t space, const char *name, int mode, void *caller);

#if defined(__x86_64__)
#define JUMP(name, choose)                                                                         \
    __asm__(".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n"                     \
            "\t.cfi_startproc\n\tendbr64\n"                                                        \
            "\tpush %rdi\n\t.cfi_adjust_cfa_offset 8\n"                                            \
            "\tpush %rsi\n\t.cfi_adjust_cfa_offset 8\n"                                            \
            "\tpush %rdx\n\t.cfi_adjust_cfa_offset 8\n"                                            \
            "\tmov 24(%rsp), %rcx\n\tcall " #choose "\n"                                           \
            "\tpop %rdx\n\t.cfi_adjust_cfa_offset -8\n"                                            \
            "\tpop %rsi\n\t.cfi_adjust_cfa_offset -8\n"                                            \
            "\tpop %rdi\n\t.cfi_adjust_cfa_offset -8\n"                                            \
            "\tjmp *%rax\n\t.cfi_endproc\n.size " #name ",.-" #name "\n")
#elif defined(__aarch64__)
#define JUMP(name, choose)                                                                         \
    __asm__(".text\n.globl " #name "\n.type " #name ",%function\n" #name ":\n"                     \
            "\t.cfi_startproc\n"                                                                   \
            "\tstp x29, x30, [sp, -48]!\n\t.cfi_adjust_cfa_offset 48\n"                            \
            "\tstp x0, x1, [sp, 16]\n\tstr x2, [sp, 32]\n"                                         \
            "\tmov x3, x30\n\tbl " #choose "\n\tmov x16, x0\n"                                     \
            "\tldp x0, x1, [sp, 16]\n\tldr x2, [sp, 32]\n"                                         \
            "\tldp x29, x30, [sp], 48\n\t.cfi_adjust_cfa_offset -48\n"                             \
            "\tbr x16\n\t.cfi_endproc\n.size " #name ",.-" #name "\n")
#else
#error "say how this machine jumps with a caller's arguments in place"
#endif

JUMP(dlopen, dl_choose_open);
JUMP(dlmopen, dl_choose_mopen);

/* --- by path ------------------------------------------------------------------------------ */

struct space {
    Lmid_t id;
    bool given; /* dlmopen() */
};

static void *open_real(struct space space, const char *path, int mode)
{
    struct link_map *mark = (mode & RTLD_DEEPBIND) && !space.given ? deepbind_mark() : NULL;
    void *library = space.given ? REAL(dlmopen)(space.id, path, mode) : REAL(dlopen)(path, mode);
    if (library && mark)
        deepbind_redirect(mark);
    return library;
}

/* A library that the loader won't find by itself is loaded before it is asked for: it is known by
 * its SONAME then. */
static void load_ahead(void *user, const char *copy)
{
    open_real(*(struct space *)user, copy, RTLD_LAZY);
}

/* libc says what is wrong with a path that the kernel doesn't have: dlerror() is its. */
static void *open_target(struct space space, const struct target *t, int mode)
{
    char copy[MIRROR_PATH_MAX];
    int saved_errno = errno;
    if (mirror_get(t, copy, sizeof(copy)) < 0)
        return open_real(space, t->path, mode);
    needed_copy(t, getenv("LD_LIBRARY_PATH"), mode & RTLD_NOLOAD ? NULL : load_ahead, &space);
    errno = saved_errno;
    return open_real(space, copy, mode);
}

static void *open_path(struct space space, const char *path, int mode)
{
    struct target t;
    int r = hook_find(AT_FDCWD, path, &t);
    if (r == 0 && strchr(path, '/') && REAL(access)(path, F_OK) < 0)
        r = hook_follow(true, AT_FDCWD, path, 0, &t);
    return r > 0 ? open_target(space, &t, mode) : open_real(space, path, mode);
}

static void *open_mapped(const char *path, int mode)
{
    return open_path((struct space){.given = false}, path, mode);
}

static void *mopen_mapped(Lmid_t space, const char *path, int mode)
{
    return open_path((struct space){.id = space, .given = true}, path, mode);
}

/* --- by name ------------------------------------------------------------------------------ */

static bool is_of_program(const Dl_info *at)
{
    Dl_info program;
    return dladdr((void *)getauxval(AT_PHDR), &program) && program.dli_fbase == at->dli_fbase;
}

/* The mapped path of the program or library that an address belongs to, if it has one. */
static bool find_caller(const void *address, struct target *t)
{
    char program[MIRROR_PATH_MAX];
    Dl_info at;
    if (!dladdr(address, &at) || !at.dli_fname)
        return false;
    const char *path = mirror_origin(at.dli_fname);
    if (!path && is_of_program(&at)) {
        ssize_t n = REAL(readlink)("/proc/self/exe", program, sizeof(program) - 1);
        program[n > 0 ? n : 0] = '\0';
        path = mirror_origin(program) ? mirror_shown(program) : NULL;
    }
    return path && target_find(AT_FDCWD, &path, t) > 0;
}

static bool environment_is_mapped(void)
{
    const char *places = getenv("LD_LIBRARY_PATH");
    for (int i = 0; i < state.map.n && places; i++)
        if (strstr(places, state.map.entries[i].prefix))
            return true;
    return false;
}

static bool is_loaded(const char *name)
{
    void *library = REAL(dlopen)(name, RTLD_LAZY | RTLD_NOLOAD);
    if (library)
        dlclose(library);
    return library != NULL;
}

static bool find_by_name(const char *name, const void *caller, struct target *t)
{
    struct target from;
    if (!state.active)
        return false;
    int saved_errno = errno;
    bool mapped = find_caller(caller, &from);
    bool found = (mapped || environment_is_mapped()) && !is_loaded(name) &&
                 needed_find(mapped ? &from : NULL, name, t) > 0;
    errno = saved_errno;
    return found;
}

static void *open_found(const char *name, int mode)
{
    struct target t;
    if (!find_by_name(name, __builtin_return_address(0), &t))
        return REAL(dlopen)(name, mode);
    return open_target((struct space){.given = false}, &t, mode);
}

/* Under a mapping, or a local link that leads there. */
static bool leads_to_mapping(const char *path)
{
    struct target t;
    int saved_errno = errno;
    bool leads =
        !target_is_elsewhere(AT_FDCWD, path) ||
        hook_follow(state.active && REAL(access)(path, F_OK) < 0, AT_FDCWD, path, 0, &t) > 0;
    errno = saved_errno;
    return leads;
}

/* --- which is it to be? ------------------------------------------------------------------- */

LOCAL void *dl_choose_open(const char *name, int mode, long unused, void *caller)
{
    struct target t;
    (void)unused;
    if (!name || !*name)
        return (void *)REAL(dlopen);
    if (strchr(name, '/')) {
        bool ours = leads_to_mapping(name) || (mode & RTLD_DEEPBIND && state.active);
        return ours ? (void *)open_mapped : (void *)REAL(dlopen);
    }
    return find_by_name(name, caller, &t) ? (void *)open_found : (void *)REAL(dlopen);
}

LOCAL void *dl_choose_mopen(Lmid_t space, const char *name, int mode, void *caller)
{
    (void)space;
    (void)mode;
    (void)caller;
    if (name && strchr(name, '/') && leads_to_mapping(name))
        return (void *)mopen_mapped;
    return (void *)REAL(dlmopen);
}
