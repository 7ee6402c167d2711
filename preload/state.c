#include "preload/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "common/options.h"
#include "preload/border.h"
#include "preload/client.h"
#include "preload/cwd.h"
#include "preload/doors.h"
#include "preload/file.h"
#include "preload/fdtab.h"
#include "preload/handover.h"
#include "preload/inherit.h"
#include "preload/memory.h"
#include "preload/mirror.h"
#include "preload/proc.h"
#include "preload/real.h"
#include "preload/report.h"
#include "preload/sigbus.h"
#include "preload/stream.h"

struct state state;

/* Where the job's own counters go until the agent gave a page, and if it can't. */
static struct counters uncounted;
static struct wiped_on_fork unwiped;

extern char **environ;
extern void *__libc_stack_end; /* the dynamic loader's, since 2.1 */

/* Said by the job's first process; its children find the note in their environment. */
#define COMPLAINED "WARMPATH_COMPLAINED"
static bool complained;

static void complain(const char *sentence)
{
    if (getenv(COMPLAINED) && !complained)
        return;
    complained = true;
    log_warn("options", "%s", sentence);
}

static struct wiped_on_fork *map_wiped(void)
{
    void *page = memory_map(sizeof(struct wiped_on_fork));
    if (page && madvise(page, sizeof(struct wiped_on_fork), MADV_WIPEONFORK) == 0)
        return page;
    return &unwiped; /* before Linux 4.14: state_forked() empties it */
}

void state_forked(void)
{
    if (!state.child)
        return;
    if (state.child == &unwiped)
        memset(&unwiped, 0, sizeof(unwiped));
    atomic_store(&state.child->pid, getpid());
}

bool state_in_vfork_child(void)
{
    pid_t known = atomic_load(&state.child->pid);
    if (known)
        return getpid() != known;
    atomic_store(&state.child->pid, getpid());
    return false;
}

void state_count(enum counter_id id, uint64_t n)
{
    struct counters *c = atomic_load_explicit(&state.child->counters, memory_order_relaxed);
    counters_add(c ? c : &uncounted, id, n);
}

void state_count_hit(uint64_t bytes)
{
    struct counters *c = atomic_load_explicit(&state.child->counters, memory_order_relaxed);
    c = c ? c : &uncounted;
    counters_add_unlocked(c, COUNTER_reads, 1);
    counters_add_unlocked(c, COUNTER_block_hits, 1);
    counters_add_unlocked(c, COUNTER_read_bytes, bytes);
}

static void activate(void)
{
    state.uid = geteuid();
    state.gid = getegid();
    state.meta_ttl_s = (int64_t)option_number(OPT_META_TTL);
    state.mmap_wait_bytes = option_number(OPT_MMAP);
    if (option_runtime_dir(state.runtime_dir, sizeof(state.runtime_dir)) < 0)
        state.runtime_dir[0] = '\0';
    state.runtime_dir_len = strlen(state.runtime_dir);
    border_init();
    mirror_init();
    file_init();
    handover_init();
    report_name_job();
    client_init();
    sigbus_init();
}

/* libc's, before it has looked: the kernel put it on the stack, behind the arguments. */
static void find_environment(void)
{
    long *start = __libc_stack_end;
    if (start)
        environ = (char **)start + 1 + start[0] + 1;
}

void state_init(void)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    if (!environ)
        find_environment();
    if (!environ || atomic_flag_test_and_set(&begun))
        return;
    const char *spec = option_text(OPT_MAP);
    if (*spec) {
        if (!log_setup(option_text(OPT_LOG)))
            complain(
                "WARMPATH_LOG is not error, warn, info or debug with ':part,part'; using warn");
        state.child = map_wiped();
        atomic_store(&state.child->pid, getpid());
        map_parse(&state.map, spec, complain);
        options_check(complain);
        if (state.map.n > 0)
            activate();
    }
    state.first_chars = 1ull << ('p' & 63) | 1ull << ('d' & 63); /* /proc and /dev */
    for (int i = 0; i < state.map.n; i++)
        state.first_chars |= 1ull << (state.map.entries[i].prefix[1] & 63);
    state.active = state.map.n > 0;
    atomic_store(&state.ready, true);
    if (!state.active)
        return;
    cwd_inherit();
    inherit_files();
}

__attribute__((constructor)) static void start(void)
{
    real_resolve_all();
    state_init();
    if (complained)
        setenv(COMPLAINED, "1", 1);
    report_publish_job();
    if (fdtab_has(STDIN_FILENO))
        stream_replace_stdin();
    doors_watch();
    proc_init();
}

__attribute__((destructor)) static void end(void)
{
    report_at_end();
}
