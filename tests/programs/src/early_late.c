/* Reading before any library is set up (preinit_array), in a constructor, in atexit() handlers and
 * in a destructor, where the library's own has run or not. */
#include "case.h"

#include <dirent.h>
#include <sys/stat.h>

static void look(const char *when, const char *directory)
{
    char path[4096], text[8] = "", line[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/text/alpha.txt", directory);
    int fd = open(path, O_RDONLY);
    long n = fd < 0 ? -1 : read(fd, text, 5);
    int r = stat(path, &st);
    int len = snprintf(line, sizeof(line), "%s: %ld %s, %d %ld\n", when, n, text, r, r ? -1 : (long)st.st_size);
    write(1, line, (size_t)len);
    if (fd >= 0)
        close(fd);
}

static void early(int argc, char **argv, char **env)
{
    (void)env;
    look("preinit", argv[argc - 1]);
}

static void (*const first)(int, char **, char **) __attribute__((section(".preinit_array"), used)) = early;

__attribute__((constructor(101))) static void constructor(int argc, char **argv)
{
    look("constructor", argv[argc - 1]);
}

static void at_exit(void)
{
    look("atexit", tree);
    DIR *dir = opendir(at("nested/a"));
    int n = 0;
    while (dir && readdir(dir))
        n++;
    printf("entries: %d\n", n);
    fflush(stdout);
}

__attribute__((destructor(101))) static void destructor(void)
{
    look("destructor", tree);
    FILE *file = fopen(at("text/crlf.txt"), "r");
    char line[32] = "";
    printf("stream: %s", file ? fgets(line, sizeof(line), file) : "none\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    atexit(at_exit);
    look("main", tree);
    return 0;
}
