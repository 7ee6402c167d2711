/* Signal handlers and masks, for the sake of SIGBUS: see sigbus.h. */
#include <string.h>

#include "preload/hook.h"
#include "preload/sigbus.h"

/* A sanitizer's runtime sets handlers before its own functions may be called: nothing begins here.
 * What is set before the library is ready, it finds in the kernel when it needs it. */
static inline bool is_active_by_now(void)
{
    return atomic_load_explicit(&state.ready, memory_order_acquire) && state.active;
}

/* Signals whose handlers, as the job set them, run with SIGBUS blocked. */
static _Atomic uint64_t block_it;

static inline uint64_t bit_of(int number)
{
    return number > 0 && number < 64 ? 1ull << number : 0;
}

/* The job's handler runs with SIGBUS open, and the job doesn't see that. */
static int set_action(int number, const struct sigaction *action, struct sigaction *old)
{
    struct sigaction without;
    bool blocked_before = atomic_load(&block_it) & bit_of(number);
    bool blocks = action && sigismember(&action->sa_mask, SIGBUS) == 1;
    bool sets = action != NULL;
    if (blocks) {
        without = *action;
        sigdelset(&without.sa_mask, SIGBUS);
        action = &without;
    }
    int r = REAL(sigaction)(number, action, old);
    if (r != 0)
        return r;
    if (old && blocked_before)
        sigaddset(&old->sa_mask, SIGBUS);
    if (blocks)
        atomic_fetch_or(&block_it, bit_of(number));
    else if (sets)
        atomic_fetch_and(&block_it, ~bit_of(number));
    return r;
}

EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    if (!is_active_by_now())
        return REAL(sigaction)(number, action, old);
    return number == SIGBUS ? sigbus_action(action, old) : set_action(number, action, old);
}

/* SIGBUS by one of the older functions. */
static sighandler_t set_bus_handler(sighandler_t handler, int flags)
{
    struct sigaction action, old;
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    if (!(flags & SA_NODEFER))
        sigaddset(&action.sa_mask, SIGBUS);
    return sigbus_action(&action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

EXPORT sighandler_t signal(int number, sighandler_t handler)
{
    if (number == SIGBUS && handler != SIG_ERR && is_active_by_now())
        return set_bus_handler(handler, SA_RESTART);
    return REAL(signal)(number, handler);
}

sighandler_t __sysv_signal(int number, sighandler_t handler);
EXPORT sighandler_t __sysv_signal(int number, sighandler_t handler)
{
    if (number == SIGBUS && handler != SIG_ERR && is_active_by_now())
        return set_bus_handler(handler, (int)SA_RESETHAND | SA_NODEFER);
    return REAL(__sysv_signal)(number, handler);
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    if (!is_active_by_now())
        return REAL(pthread_sigmask)(how, set, old);
    return sigbus_mask(REAL(pthread_sigmask), how, set, old);
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    if (!is_active_by_now())
        return REAL(sigprocmask)(how, set, old);
    return sigbus_mask(REAL(sigprocmask), how, set, old);
}
