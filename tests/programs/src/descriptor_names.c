/* The names that descriptors have in /proc and /dev. */
#include "case.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

static void look(const char *format, int fd, const char *rest)
{
    char name[PATH_MAX], target[PATH_MAX], text[64];
    struct stat st;
    snprintf(name, sizeof(name), format, fd);
    strcat(name, rest);
    printf("%s%s:", format, rest);
    int r = stat(name, &st);
    printf(" stat %s %d %lld", result(r), r == 0 && S_ISREG(st.st_mode), r == 0 && S_ISREG(st.st_mode) ? (long long)st.st_size : 0);
    r = lstat(name, &st);
    printf(", lstat %s %d", result(r), r == 0 && S_ISLNK(st.st_mode));
    ssize_t n = readlink(name, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    printf(", readlink %s %s", result(n), target);
    printf(", access %s", result(access(name, R_OK)));
    char *real = realpath(name, NULL);
    printf(", realpath %s", real ? real : strerrorname_np(errno));
    int again = open(name, O_RDONLY);
    show(", open", text, again < 0 ? again : read(again, text, 10));
    FILE *stream = fopen(name, "r");
    printf("  fopen %d", stream && fgetc(stream) != EOF);
    DIR *dir = opendir(name);
    int entries = 0;
    while (dir && readdir(dir))
        entries++;
    printf(", opendir %s %d\n", dir ? "ok" : strerrorname_np(errno), entries);
    if (again >= 0)
        close(again);
}

static void *in_thread(void *fd)
{
    look("/proc/thread-self/fd/%d", *(int *)fd, "");
    return NULL;
}

int main(int argc, char **argv)
{
    char own[64];
    tree = argv[argc - 1];
    int file = must_open("text/crlf.txt"), dir = open(at("nested"), O_RDONLY | O_DIRECTORY);
    char text[4];
    read(file, text, sizeof(text)); /* an open by name begins at 0 all the same */
    look("/proc/self/fd/%d", file, "");
    look("/dev/fd/%d", file, "");
    snprintf(own, sizeof(own), "/proc/%d/fd/%%d", getpid());
    char name[80];
    snprintf(name, sizeof(name), own, file);
    printf("by process: %s\n", result(open(name, O_RDONLY)));
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, &file);
    pthread_join(thread, NULL);
    look("/proc/self/fd/%d", dir, "");
    look("/proc/self/fd/%d", dir, "/a.txt");
    look("/dev/fd/%d", dir, "/a/leaf-a.txt");
    look("/proc/self/fd/%d", dir, "/../one-byte");
    look("/proc/self/fd/%d", dir, "/missing");
    look("/proc/self/fd/%d", file, "/x");
    look("/proc/self/fd/%d", 999, "");
    dup2(file, 0);
    look("/dev/stdin", 0, "");
    snprintf(name, sizeof(name), "/proc/self/fd/%d", dir);
    printf("chdir: %s", result(chdir(name)));
    printf(" %s\n", getcwd(name, sizeof(name)));
    look("/proc/self/cwd", 0, "");
    look("/proc/self/cwd", 0, "/a/leaf-a.txt");
    look("/proc/self/cwd", 0, "/..");
    look("/proc/self/cwd", 0, "/missing");
    printf("relative: %s\n", result(open("a.txt", O_RDONLY)));
    return 0;
}
