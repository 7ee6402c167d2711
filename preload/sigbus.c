#include "preload/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "preload/lazy.h"
#include "preload/memory.h"
#include "preload/quiet.h"
#include "preload/real.h"
#include "preload/state.h"

#define STACKS 64 /* touches that are served at once; more wait */
/* Measured: 8 KiB for a touch, 28 KiB where it greets a new agent that it had to start. */
#define STACK_BYTES   (128 * 1024)
#define STACK_WAIT_NS 100000
#define GUARD_BYTES   4096

/* What the job set. Written into the place that is not current, then that is: a child forked in
 * between finds a whole one. */
static struct {
    struct sigaction places[2];
    _Atomic int current;
    atomic_bool installed;
} job;

static char *stacks;               /* below each lies a guard page */
static __thread bool job_blocks;   /* this thread's mask has SIGBUS, as the job sees it */
static __thread uintptr_t touched; /* the last touch that was served by nothing but a second look */
static __thread uint64_t touched_changes;

static struct sigaction *current(void)
{
    return &job.places[atomic_load(&job.current)];
}

static void set_current(const struct sigaction *action)
{
    int other = !atomic_load(&job.current);
    job.places[other] = *action;
    atomic_store(&job.current, other);
}

/* --- a stack of our own ------------------------------------------------------------------- */

/* The interrupted one may be a coroutine's or an alternate signal stack: a few kilobytes. */
static unsigned take_stack(void)
{
    for (;;) {
        uint64_t in_use = atomic_load(&state.child->fault_stacks);
        while (~in_use) {
            unsigned i = (unsigned)__builtin_ctzll(~in_use);
            if (atomic_compare_exchange_weak(&state.child->fault_stacks, &in_use,
                                             in_use | 1ull << i))
                return i;
        }
        struct timespec pause = {.tv_nsec = STACK_WAIT_NS};
        syscall(SYS_nanosleep, &pause, NULL);
    }
}

static void give_stack(unsigned i)
{
    atomic_fetch_and(&state.child->fault_stacks, ~(1ull << i));
}

struct touch {
    uintptr_t address;
    enum lazy_answer answer;
};

static void serve(struct touch *t)
{
    int state_before;
    /* No point of cancellation: the job only looked at memory. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state_before);
    t->answer = lazy_bring(t->address);
    pthread_setcancelstate(state_before, NULL);
}

#ifdef __x86_64__
static void serve_on(char *top, struct touch *t)
{
    void (*call)(struct touch *) = serve;
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %[top], %%rsp\n\t"
                     "call *%[call]\n\t"
                     "mov %%rbx, %%rsp\n\t"
                     : "+D"(t), [call] "+a"(call), [top] "+S"(top)
                     :
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
                       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
}
#else
static void serve_on(char *top, struct touch *t)
{
    (void)top; /* elsewhere the interrupted stack has to do */
    serve(t);
}
#endif

/* --- the handler -------------------------------------------------------------------------- */

/* Somebody else mapped the block, or the last one of its range, since this thread touched it: then
 * the touch will succeed now. If it is here again and nothing was mapped meanwhile, it is a real
 * SIGBUS: behind the end of a file, or the disk failed. */
static bool is_second_look(uintptr_t address)
{
    uint64_t changes = lazy_changes();
    bool again = touched == address && touched_changes == changes;
    touched = again ? 0 : address;
    touched_changes = changes;
    return again;
}

static bool is_served(const siginfo_t *info)
{
    if (info->si_code != BUS_ADRERR)
        return false;
    struct touch t = {.address = (uintptr_t)info->si_addr};
    unsigned i = take_stack();
    serve_on(stacks + (i + 1) * (size_t)STACK_BYTES, &t);
    give_stack(i);
    return t.answer == LAZY_BROUGHT || (t.answer != LAZY_FAILED && !is_second_look(t.address));
}

/* As if there were no handler: a touch happens again and ends the process, with the right address
 * in its core; one that somebody sent is sent again. */
static void by_default(const siginfo_t *info)
{
    struct sigaction none;
    memset(&none, 0, sizeof(none));
    none.sa_handler = SIG_DFL;
    REAL(sigaction)(SIGBUS, &none, NULL);
    if (info->si_code <= 0)
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGBUS);
}

/* The mask with which the job's handler would run, but for SIGBUS: it may touch lazy maps too. */
static void set_mask(const struct sigaction *action, const ucontext_t *context)
{
    sigset_t mask = action->sa_mask;
    uint64_t *now = (uint64_t *)(void *)&mask;
    *now |= *(const uint64_t *)(const void *)&context->uc_sigmask;
    sigdelset(&mask, SIGBUS);
    REAL(sigprocmask)(SIG_SETMASK, &mask, NULL);
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    struct quiet q = quiet_lock(&state.child->sigbus_lock);
    struct sigaction action = *current();
    if (action.sa_flags & (int)SA_RESETHAND) {
        struct sigaction none = action;
        none.sa_handler = SIG_DFL;
        set_current(&none);
    }
    quiet_unlock(&state.child->sigbus_lock, &q);
    bool sent = info->si_code <= 0;
    if (action.sa_handler == SIG_IGN && sent)
        return;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        by_default(info);
        return;
    }
    set_mask(&action, context);
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    int error = errno;
    bool served = is_served(info);
    errno = error;
    if (!served)
        pass_on(number, info, context);
}

/* Ours, on an alternate stack unless the job's own handler would not run on one. */
static int put_handler(const struct sigaction *jobs)
{
    bool has_handler = jobs->sa_handler != SIG_DFL && jobs->sa_handler != SIG_IGN;
    struct sigaction ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (has_handler)
        ours.sa_flags = SA_SIGINFO | (jobs->sa_flags & (SA_ONSTACK | SA_RESTART));
    sigfillset(&ours.sa_mask);
    return REAL(sigaction)(SIGBUS, &ours, NULL);
}

/* --- what the job sets -------------------------------------------------------------------- */

void sigbus_init(void)
{
    uint64_t bus = 1ull << (SIGBUS - 1), before = 0;
    syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &bus, &before, sizeof(bus));
    job_blocks = before & bus;
}

static char *map_stacks(void)
{
    char *at = memory_map_fd((size_t)STACKS * STACK_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    for (size_t i = 0; at && i < STACKS; i++)
        syscall(SYS_mprotect, at + i * STACK_BYTES, GUARD_BYTES, PROT_NONE);
    return at;
}

bool sigbus_install(void)
{
    if (atomic_load(&job.installed))
        return true;
    struct sigaction before;
    struct quiet q = quiet_lock(&state.child->sigbus_lock);
    if (!atomic_load(&job.installed) && (stacks || (stacks = map_stacks())) &&
        REAL(sigaction)(SIGBUS, NULL, &before) == 0) {
        set_current(&before);
        atomic_store(&job.installed, put_handler(&before) == 0);
    }
    quiet_unlock(&state.child->sigbus_lock, &q);
    return atomic_load(&job.installed);
}

int sigbus_action(const struct sigaction *action, struct sigaction *old)
{
    struct sigaction given, before;
    int r = 0;
    if (action)
        given = *action;
    struct quiet q = quiet_lock(&state.child->sigbus_lock);
    if (!atomic_load(&job.installed)) {
        r = REAL(sigaction)(SIGBUS, action ? &given : NULL, &before);
    } else {
        before = *current();
        if (action && (r = put_handler(&given)) == 0)
            set_current(&given);
    }
    quiet_unlock(&state.child->sigbus_lock, &q);
    if (old && r == 0)
        *old = before;
    return r;
}

int sigbus_mask(sigbus_mask_function *real_function, int how, const sigset_t *set, sigset_t *old)
{
    bool before = job_blocks, named = set && sigismember(set, SIGBUS) == 1;
    sigset_t without;
    if (named && how != SIG_UNBLOCK) {
        without = *set;
        sigdelset(&without, SIGBUS);
        set = &without;
    }
    int r = real_function(how, set, old);
    if (r != 0)
        return r;
    if (old && before)
        sigaddset(old, SIGBUS);
    if (set && how == SIG_SETMASK)
        job_blocks = named;
    else if (named)
        job_blocks = how == SIG_BLOCK;
    return r;
}
