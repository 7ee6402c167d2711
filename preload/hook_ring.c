/* liburing makes its system calls itself, so its own functions are what can be refused. They are
 * not libc's; a program that doesn't load liburing never gets here. */
#include <dlfcn.h>
#include <sys/syscall.h>

#include "common/log.h"
#include "preload/hook.h"
#include "preload/raw.h"
#include "preload/ring.h"

static bool refuses(void)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (!hook_is_active())
        return false;
    if (!atomic_flag_test_and_set(&told))
        log_warn("fault", "io_uring is refused (ENOSYS): its reads would not see mapped files");
    return true;
}

long ring_setup(long entries, long parameters)
{
    if (refuses())
        return hook_result(-ENOSYS);
    return raw_syscall(SYS_io_uring_setup, entries, parameters, 0, 0, 0, 0);
}

/* liburing's own, wherever the process has it: it may have been loaded for one library alone. */
static void *own(const char *name)
{
    static const char *const files[] = {"liburing.so.2", "liburing.so.1"};
    void *function = dlsym(RTLD_NEXT, name);
    for (size_t i = 0; !function && i < sizeof(files) / sizeof(*files); i++) {
        void *library = REAL(dlopen)(files[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library)
            function = dlsym(library, name);
    }
    return function;
}

/* What liburing returns is -errno. */
#define RING(name, parameters, arguments)                                                          \
    int name parameters;                                                                           \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        int(*function) parameters = refuses() ? NULL : (__typeof__(function))own(#name);           \
        return function ? function arguments : -ENOSYS;                                            \
    }

RING(io_uring_queue_init, (unsigned entries, void *ring, unsigned flags), (entries, ring, flags))
RING(io_uring_queue_init_params, (unsigned entries, void *ring, void *parameters),
     (entries, ring, parameters))
RING(io_uring_queue_init_mem,
     (unsigned entries, void *ring, void *parameters, void *memory, size_t n),
     (entries, ring, parameters, memory, n))
RING(io_uring_setup, (unsigned entries, void *parameters), (entries, parameters))
