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
#include "preload/ownfd.h"
#include "preload/proc.h"
#include "preload/report.h"

extern char **environ;

static void share(int fd, struct file *f)
{
    inherit_prepare(f, fd);
}

/* A fork alone hands nothing to another program: directories are named when the child executes one,
 * when no other thread is there to open and close. */
static void share_offset(int fd, struct file *f)
{
    if (f->kind == FILE_REGULAR)
        inherit_prepare(f, fd);
}

static bool was_alone; /* at the fork, the forking thread was the only one */

/* fork copies the table of descriptors first and memory a moment later. Between the two, other
 * threads go on: a number that memory knows may be closed in the child, or stand for something
 * else. So the child keeps no descriptor of the library's own, and of the files only those whose
 * numbers are what memory says. */
static void drop_if_another(int fd, struct file *f)
{
    file_lost_descriptors(f);
    if (!inherit_is_of(fd, f))
        fdtab_drop(fd);
}

static void put_in_order(void)
{
    ownfd_close_all();
    run_forget_all();
    keep_forget(true);
    fdtab_each(drop_if_another);
}

void proc_share_offsets(void)
{
    if (fdtab_in_use())
        fdtab_each(share);
}

static void before_fork(void)
{
    was_alone = file_one_thread();
    if (fdtab_in_use())
        fdtab_each(share_offset);
}

static void in_child(void)
{
    state_forked();
    if (was_alone)
        keep_forget(false);
    else
        put_in_order();
}

void proc_init(void)
{
    pthread_atfork(before_fork, NULL, in_child);
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
