/* Processes. What a child inherits are placeholders, whose offset the kernel keeps: so before there
 * is a child, the offsets of open files go to the kernel. fork, forkpty and their like run the
 * handlers of pthread_atfork. vfork is not wrapped (its frame would be gone); a child of it comes
 * through here when it executes. */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "preload/handover.h"
#include "preload/hook.h"
#include "preload/inherit.h"
#include "preload/keep.h"
#include "preload/proc.h"
#include "preload/report.h"

extern char **environ;

/* In a vfork child a number may by now be another file: only what is still a placeholder is
 * touched. */
static void share_if_still_ours(int fd, struct file *f)
{
    if (inherit_is_placeholder(fd))
        file_share(f, fd);
}

static void share(int fd, struct file *f)
{
    file_share(f, fd);
}

void proc_share_offsets(void)
{
    if (fdtab_in_use())
        fdtab_each(state_in_vfork_child() ? share_if_still_ours : share);
}

static void in_child(void)
{
    state_forked();
    keep_forget();
}

void proc_init(void)
{
    pthread_atfork(proc_share_offsets, NULL, in_child);
}

static void before_shell(void)
{
    proc_share_offsets();
    handover_before("/bin/sh", environ);
}

EXPORT int system(const char *command)
{
    before_shell();
    return REAL(system)(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
    before_shell();
    return REAL(popen)(command, mode);
}

EXPORT void _exit(int status)
{
    report_at_end();
    REAL(_exit)(status);
    __builtin_unreachable();
}
