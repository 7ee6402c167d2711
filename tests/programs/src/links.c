/* Symbolic links of the local disk that point into the tree, or not. */
#include "case.h"

#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

static void make(const char *target, const char *name)
{
    if (symlink(target, name) < 0)
        printf("symlink %s: %s\n", name, strerrorname_np(errno));
}

static const char *kind(const struct stat *st)
{
    return S_ISLNK(st->st_mode) ? "link" : S_ISDIR(st->st_mode) ? "directory" : "file";
}

static void look(const char *name)
{
    struct stat st;
    char buffer[64], target[PATH_MAX];
    printf("%s:", name);
    int r = stat(name, &st);
    printf(" stat %s", r < 0 ? result(r) : kind(&st));
    if (r == 0 && S_ISREG(st.st_mode))
        printf(" %lld", (long long)st.st_size);
    r = lstat(name, &st);
    printf(", lstat %s", r < 0 ? result(r) : kind(&st));
    struct statx x;
    r = statx(AT_FDCWD, name, 0, STATX_SIZE, &x);
    printf(", statx %s", result(r));
    printf(", fstatat %s", result(fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW)));
    ssize_t n = readlink(name, target, sizeof(target));
    printf(", readlink %s", n < 0 ? result(n) : "ok");
    printf(", access %s", result(access(name, R_OK)));
    printf(", eaccess %s", result(eaccess(name, R_OK)));
    printf(", faccessat %s", result(faccessat(AT_FDCWD, name, F_OK, AT_EACCESS)));
    int fd = open(name, O_RDONLY);
    n = fd < 0 ? fd : read(fd, buffer, sizeof(buffer));
    show(", read", buffer, n);
    fd = open(name, O_RDONLY | O_NOFOLLOW);
    printf("  nofollow %s", result(fd));
    fd = openat(AT_FDCWD, name, O_RDONLY | O_DIRECTORY);
    printf(", directory %s", result(fd));
    FILE *stream = fopen(name, "r");
    printf(", fopen %s", stream ? "ok" : strerrorname_np(errno));
    DIR *dir = opendir(name);
    int entries = 0;
    while (dir && readdir(dir))
        entries++;
    printf(", opendir %s %d", dir ? "ok" : strerrorname_np(errno), entries);
    char *real = realpath(name, NULL);
    printf(", realpath %s", real ? real : strerrorname_np(errno));
    struct statfs fs;
    struct statvfs vfs;
    printf(", statfs %s, statvfs %s", result(statfs(name, &fs)), result(statvfs(name, &vfs)));
    printf(", getxattr %s", getxattr(name, "user.none", buffer, sizeof(buffer)) < 0 &&
           (errno == ENODATA || errno == EOPNOTSUPP) ? "none" : strerrorname_np(errno));
    printf(", pathconf %s", result(pathconf(name, _PC_NAME_MAX)));
    struct dirent **names;
    printf(", scandir %s\n", result(scandir(name, &names, NULL, NULL)));
}

static void walk_in_and_out(void)
{
    char where[PATH_MAX], start[PATH_MAX];
    getcwd(start, sizeof(start));
    printf("chdir: %s", result(chdir("dir-link/nested")));
    printf(" %s\n", getcwd(where, sizeof(where)));
    look("a.txt");
    printf("out: %s", result(chdir("../..")));
    getcwd(where, sizeof(where));
    printf(" %s\n", strcmp(where, start) == 0 ? "where we began" : "elsewhere");
    printf("back: %s\n", result(chdir(start)));
    printf("file: %s, missing: %s\n", result(chdir("file-link")), result(chdir("gone-link")));
}

static void globs(void)
{
    glob_t found;
    int r = glob("*link/*.txt", 0, NULL, &found);
    printf("glob: %d", r);
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
        printf(" %s", found.gl_pathv[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    tree = argv[argc - 1];
    make(at("text/crlf.txt"), "file-link");
    make(tree, "dir-link");
    make("dir-link/nested", "relative-link");
    make("./relative-link/../one-byte", "up-and-down-link");
    make("file-link", "second-link");
    make(at("missing"), "gone-link");
    make("nowhere", "dangling-link");
    make("loop-b", "loop-a");
    make("loop-a", "loop-b");
    mkdir("local", 0755);
    snprintf(path, sizeof(path), "%s/nested/a", tree);
    make(path, "local/deep");
    static const char *const names[] = {
        "file-link", "file-link/", "dir-link", "dir-link/", "dir-link/one-byte", "relative-link",
        "relative-link/a.txt", "relative-link/a/leaf-a.txt", "up-and-down-link", "second-link",
        "gone-link", "dir-link/missing", "dir-link/one-byte/x", "dangling-link", "dangling-link/x",
        "loop-a", "loop-a/x", "local/deep", "local/deep/leaf-a.txt", "local/deep/b/../leaf-a.txt",
        "local/../dir-link/text/files.list", "dir-link/names/name with space", "local/nothing"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        look(names[i]);
    walk_in_and_out();
    globs();
    int local = open("local", O_PATH | O_DIRECTORY);
    int fd = openat(local, "deep/leaf-a.txt", O_RDONLY);
    show("openat", path, read(fd, path, 64));
    return 0;
}
