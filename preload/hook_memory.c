/* What is done to memory that may be a lazy map: where the kernel would look at its pages, or where
 * blocks that come later would not have it done to them, they come first. */
#include "preload/hook.h"
#include "preload/lazy.h"
#include "preload/lazy_map.h"

/* Blocks get the protection that the whole range was mapped with. */
static int before_protection(void *at, size_t len, int protection)
{
    if (!lazy_any() || lazy_protection(at, len) == protection)
        return 0;
    return lazy_fill(at, len);
}

EXPORT int mprotect(void *at, size_t len, int protection)
{
    int r = before_protection(at, len, protection);
    if (r < 0)
        return (int)hook_result(r);
    return REAL(mprotect)(at, len, protection);
}

int pkey_mprotect(void *at, size_t len, int protection, int key);
EXPORT int pkey_mprotect(void *at, size_t len, int protection, int key)
{
    int r = lazy_any() ? lazy_fill(at, len) : 0;
    if (r < 0)
        return (int)hook_result(r);
    return REAL(pkey_mprotect)(at, len, protection, key);
}

EXPORT int mlock(const void *at, size_t len)
{
    lazy_need(at, len);
    return REAL(mlock)(at, len);
}

int mlock2(const void *at, size_t len, unsigned flags);
EXPORT int mlock2(const void *at, size_t len, unsigned flags)
{
    lazy_need(at, len);
    return REAL(mlock2)(at, len, flags);
}

EXPORT int mlockall(int flags)
{
    int r = lazy_fill_all();
    if (r < 0)
        return (int)hook_result(r);
    r = REAL(mlockall)(flags);
    if (r == 0 && (flags & MCL_FUTURE))
        lazy_map_never_again();
    return r;
}
