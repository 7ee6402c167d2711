/* A program as built against the oldest glibc there is for this machine: stat() and its kin are
 * __xstat() there, dlopen(), posix_spawn() and others have versions of before. */
#include "case.h"

#include <dlfcn.h>
#include <glob.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;
int __xstat(int version, const char *path, struct stat *st);
int __lxstat(int version, const char *path, struct stat *st);
int __fxstat(int version, int fd, struct stat *st);
int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags);

#if defined(__x86_64__)
#define STAT_VERSION 1
__asm__(".symver __xstat,__xstat@GLIBC_2.2.5");
__asm__(".symver __lxstat,__lxstat@GLIBC_2.2.5");
__asm__(".symver __fxstat,__fxstat@GLIBC_2.2.5");
__asm__(".symver __fxstatat,__fxstatat@GLIBC_2.4");
__asm__(".symver dlopen,dlopen@GLIBC_2.2.5");
__asm__(".symver dlsym,dlsym@GLIBC_2.2.5");
__asm__(".symver posix_spawn,posix_spawn@GLIBC_2.2.5");
__asm__(".symver posix_spawnp,posix_spawnp@GLIBC_2.2.5");
__asm__(".symver glob,glob@GLIBC_2.2.5");
__asm__(".symver realpath,realpath@GLIBC_2.2.5");
__asm__(".symver memcpy,memcpy@GLIBC_2.2.5");
#else
#define STAT_VERSION 0
__asm__(".symver __xstat,__xstat@GLIBC_2.17");
__asm__(".symver __lxstat,__lxstat@GLIBC_2.17");
__asm__(".symver __fxstat,__fxstat@GLIBC_2.17");
__asm__(".symver __fxstatat,__fxstatat@GLIBC_2.17");
#endif

static void tell(const char *what, int r, const struct stat *st)
{
    if (r < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %o %lld %lld\n", what, st->st_mode, (long long)st->st_size * !S_ISDIR(st->st_mode), (long long)st->st_mtime * !S_ISDIR(st->st_mode));
}

int main(int argc, char **argv)
{
    char resolved[4096], text[8] = "";
    struct stat st;
    glob_t found;
    tree = argv[argc - 1];
    tell("__xstat", __xstat(STAT_VERSION, at("text/alpha.txt"), &st), &st);
    tell("__xstat, none", __xstat(STAT_VERSION, at("none"), &st), &st);
    tell("__lxstat", __lxstat(STAT_VERSION, at("text"), &st), &st);
    int fd = must_open("sizes/64KiB"), dir = open(at("text"), O_RDONLY | O_DIRECTORY);
    tell("__fxstat", __fxstat(STAT_VERSION, fd, &st), &st);
    tell("__fxstatat", __fxstatat(STAT_VERSION, dir, "crlf.txt", &st, 0), &st);
    tell("__fxstatat, link", __fxstatat(STAT_VERSION, dir, "crlf.txt", &st, AT_SYMLINK_NOFOLLOW), &st);
    int r = glob(at("text/*.txt"), 0, NULL, &found);
    printf("glob: %d %zu\n", r, found.gl_pathc);
    printf("realpath: %s\n", realpath(at("text/../one-byte"), resolved));
    pread(fd, text, 4, 0);
    show("pread", text, 4);
    void *library = dlopen(at("lib/libouter.so"), RTLD_NOW);
    printf("dlopen: %d\n", library ? ((int (*)(void))dlsym(library, "outer"))() : -1);
    char *words[] = {"show", "a", NULL};
    pid_t pid;
    int status = 0;
    fflush(stdout);
    printf("posix_spawn: %d", posix_spawn(&pid, at("bin/show"), NULL, NULL, words, environ));
    waitpid(pid, &status, 0);
    printf(" %d\n", WEXITSTATUS(status));
    return 0;
}
