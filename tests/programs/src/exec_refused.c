/* What can't be executed, and that a failed exec leaves the process as it was. */
#include "case.h"

int main(int argc, char **argv)
{
    static const char *const names[] = {"one-byte", "empty", "text", "none", "one-byte/below", "bin/script/", "text/alpha.txt"};
    char *args[] = {"x", NULL};
    char text[8] = "";
    tree = argv[argc - 1];
    int fd = must_open("text/alpha.txt");
    read(fd, text, 3);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        errno = 0;
        int r = execv(at(names[i]), args);
        printf("%s: %d %s\n", names[i], r, strerrorname_np(errno));
    }
    printf("execvp: %d", execvp("", args));
    printf(" %s\n", strerrorname_np(errno));
    setenv("PATH", at("none"), 1);
    printf("execvp: %d", execvp("show", args));
    printf(" %s\n", strerrorname_np(errno));
    int data = must_open("one-byte");
    printf("fexecve: %d", fexecve(data, args, args + 1));
    printf(" %s\n", strerrorname_np(errno));
    printf("offset: %ld\n", (long)lseek(fd, 0, SEEK_CUR));
    read(fd, text, 3);
    printf("still reads: %s\n", text);
    return 0;
}
