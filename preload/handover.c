#include "preload/handover.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/elf.h"
#include "preload/fdtab.h"
#include "preload/inherit.h"
#include "preload/materialise.h"
#include "preload/offset.h"
#include "preload/program.h"
#include "preload/real.h"

/* --- is the program served? --------------------------------------------------------------- */

static const char *find_variable(char *const env[], const char *name)
{
    size_t len = strlen(name);
    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

/* The library's file name, by which LD_PRELOAD names it. */
static const char *own_name(void)
{
    Dl_info here;
    if (!dladdr((void *)own_name, &here) || !here.dli_fname)
        return "";
    const char *slash = strrchr(here.dli_fname, '/');
    return slash ? slash + 1 : here.dli_fname;
}

static bool by_environment; /* else by /etc/ld.so.preload, which children have as well */

void handover_init(void)
{
    const char *preload = getenv("LD_PRELOAD");
    by_environment = preload && strstr(preload, own_name());
}

static bool environment_serves(char *const env[])
{
    const char *map = find_variable(env, "WARMPATH_MAP");
    const char *preload = find_variable(env, "LD_PRELOAD");
    if (!map || !*map)
        return false;
    return (preload && strstr(preload, own_name())) || !by_environment;
}

static bool elf_is_served(int fd)
{
    char interpreter[256];
    struct stat st;
    if (!elf_interpreter((struct elf_file){fd, REAL(pread)}, interpreter, sizeof(interpreter)) ||
        !*interpreter || strstr(interpreter, "musl"))
        return false;
    if (REAL(fstat)(fd, &st) < 0)
        return true;
    return !((st.st_mode & S_ISUID) && st.st_uid != geteuid()) &&
           !((st.st_mode & S_ISGID) && st.st_gid != getegid());
}

/* 1: yes, 0: no, -1: it is a script, whose interpreter `path` then is. */
static int examine(char path[PATH_MAX])
{
    char head[PROGRAM_HEAD_MAX + 1], *interpreter, *argument;
    if (map_find(&state.map, path, strlen(path)))
        return 1; /* it runs from a copy, by a loader that loads the library */
    int fd = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 1;
    long n = REAL(pread)(fd, head, PROGRAM_HEAD_MAX, 0);
    int served = 1;
    if (n >= 4 && memcmp(head, "\177ELF", 4) == 0)
        served = elf_is_served(fd);
    else if (n >= 2 && program_parse_script(head, (size_t)n, &interpreter, &argument)) {
        strcpy(path, interpreter);
        served = -1;
    }
    syscall(SYS_close, fd);
    return served;
}

bool handover_is_served(const char *path, char *const env[])
{
    char now[PATH_MAX];
    if (!environment_serves(env))
        return false;
    if (strlen(path) >= sizeof(now))
        return true;
    strcpy(now, path);
    int served = -1;
    for (int i = 0; i < PROGRAM_SCRIPTS && served < 0; i++)
        served = examine(now);
    return served != 0;
}

/* --- replacing ----------------------------------------------------------------------------- */

/* The same file, open for reading alone. */
static int reopen(int fd)
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    int again = REAL(open)(link, O_RDONLY | O_CLOEXEC);
    if (again < 0)
        return fd;
    syscall(SYS_close, fd);
    return again;
}

static void replace(int fd, char *link)
{
    bool own_table = !state_in_vfork_child();
    struct file *known = own_table ? fdtab_get(fd) : NULL;
    PINNED struct file *f = known ? known : inherit_file(link);
    if (!f || f->kind != FILE_REGULAR || f->path_only)
        return;
    int real_file = materialise_file(f);
    if (real_file < 0)
        return; /* its reads fail with EBADF */
    if (own_table)
        offset_share(f, fd);
    off_t at = REAL(lseek)(fd, 0, SEEK_CUR);
    int flags = REAL(fcntl)(fd, F_GETFD);
    real_file = reopen(real_file);
    REAL(lseek)(real_file, at, SEEK_SET);
    if (REAL(dup3)(real_file, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) >= 0 && own_table)
        fdtab_drop(fd);
    syscall(SYS_close, real_file);
}

static void replace_if_kept(int fd, char *link, void *unused)
{
    (void)unused;
    if (!(REAL(fcntl)(fd, F_GETFD) & FD_CLOEXEC))
        replace(fd, link);
}

static void replace_if_it_is(int fd, char *link, void *wanted)
{
    if (fd == *(int *)wanted)
        replace(fd, link);
}

void handover_before(const char *path, char *const env[])
{
    int saved_errno = errno;
    if (state.active && (fdtab_in_use() || state_in_vfork_child()) &&
        !handover_is_served(path, env))
        inherit_each(replace_if_kept, NULL);
    errno = saved_errno;
}

void handover_descriptor(int fd)
{
    inherit_each(replace_if_it_is, &fd);
}
