/* open in all its spellings. */
#include "case.h"

#include <sys/stat.h>

extern int __open_2(const char *path, int flags);
extern int __open64_2(const char *path, int flags);
extern int __openat_2(int fd, const char *path, int flags);
extern int __openat64_2(int fd, const char *path, int flags);

static void one(const char *what, int fd)
{
    char buffer[64];
    if (fd < 0) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        return;
    }
    show(what, buffer, read(fd, buffer, sizeof(buffer)));
    close(fd);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    const char *name = "text/crlf.txt";
    int top = open(tree, O_RDONLY | O_DIRECTORY);
    int text = openat(top, "text", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int path = open(tree, O_PATH | O_DIRECTORY);
    one("open", open(at(name), O_RDONLY));
    one("open64", open64(at(name), O_RDONLY));
    one("openat", openat(top, name, O_RDONLY));
    one("openat64", openat64(text, "crlf.txt", O_RDONLY));
    one("openat O_PATH", openat(path, name, O_RDONLY));
    one("openat ..", openat(text, "../one-byte", O_RDONLY));
    one("openat absolute", openat(-1, at(name), O_RDONLY));
    one("openat cwd", openat(AT_FDCWD, at(name), O_RDONLY));
    one("__open_2", __open_2(at(name), O_RDONLY));
    one("__open64_2", __open64_2(at(name), O_RDONLY));
    one("__openat_2", __openat_2(top, name, O_RDONLY));
    one("__openat64_2", __openat64_2(text, "crlf.txt", O_RDONLY));
    one("noatime and more", open(at(name), O_RDONLY | O_NOCTTY | O_NOFOLLOW | O_LARGEFILE | O_SYNC));
    one("directory read", open(at("text"), O_RDONLY));
    one("missing", openat(top, "missing", O_RDONLY));
    one("not a directory", open(at(name), O_RDONLY | O_DIRECTORY));
    one("below a file", openat(top, "one-byte/x", O_RDONLY));
    one("at a file", openat(must_open("one-byte"), "x", O_RDONLY));
    one("bad descriptor", openat(999, "x", O_RDONLY));
    one("empty path", openat(top, "", O_RDONLY));
    one("directory for writing", open(at("text"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));

    int flags = fcntl(open(at(name), O_RDONLY | O_NONBLOCK), F_GETFL);
    printf("flags: %o\n", flags & (O_ACCMODE | O_NONBLOCK));
    struct stat st;
    printf("O_PATH: %s %s\n", result(fstat(path, &st)), S_ISDIR(st.st_mode) ? "dir" : "other");
    char byte;
    printf("O_PATH read: %s\n", result(read(path, &byte, 1)));
    close(0);
    printf("lowest: %d\n", open(at(name), O_RDONLY));
    return 0;
}
