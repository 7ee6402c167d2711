/* opendir and its positions. Order isn't compared: entries are sorted or counted. */
#include "case.h"

#include <dirent.h>
#include <sys/stat.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *name)
{
    static char *names[4096];
    int n = 0;
    DIR *dir = opendir(at(name));
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir))) {
        char text[300];
        snprintf(text, sizeof(text), "%s %s", entry->d_name,
                 entry->d_type == DT_DIR ? "dir" : entry->d_type == DT_REG ? "file" : "other");
        names[n++] = strdup(text);
    }
    printf("%s: %d entries, errno %d\n", name, n, errno);
    qsort(names, (size_t)n, sizeof(*names), by_name);
    for (int i = 0; i < n && i < 50; i++)
        printf("  %s\n", names[i]);
    closedir(dir);
}

/* After seekdir to a told position the same entries come again. */
static void positions(const char *name)
{
    DIR *dir = opendir(at(name));
    char first[300], after[300];
    for (int i = 0; i < 37; i++)
        readdir(dir);
    long told = telldir(dir);
    snprintf(first, sizeof(first), "%s", readdir(dir)->d_name);
    int rest = 0;
    while (readdir(dir))
        rest++;
    seekdir(dir, told);
    snprintf(after, sizeof(after), "%s", readdir(dir)->d_name);
    int again = 0;
    while (readdir(dir))
        again++;
    printf("seekdir: same %d, rest %d, again %d\n", strcmp(first, after) == 0, rest, again);
    rewinddir(dir);
    int whole = 0;
    while (readdir(dir))
        whole++;
    printf("rewinddir: %d\n", whole);
    closedir(dir);
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void reentrant(void)
{
    DIR *dir = opendir(at("nested"));
    struct dirent entry, *next;
    int n = 0, bytes = 0;
    while (readdir_r(dir, &entry, &next) == 0 && next) {
        n++;
        bytes += (int)strlen(entry.d_name);
    }
    printf("readdir_r: %d entries, %d bytes\n", n, bytes);
    closedir(dir);

    dir = opendir(at("nested"));
    n = 0;
    for (struct dirent64 *wide; (wide = readdir64(dir));)
        n++;
    printf("readdir64: %d\n", n);
    closedir(dir);
}

static void descriptors(void)
{
    DIR *dir = opendir(at("text"));
    struct stat st;
    printf("dirfd: %s", result(fstat(dirfd(dir), &st)));
    int fd = openat(dirfd(dir), "crlf.txt", O_RDONLY);
    char buffer[64];
    show(" openat", buffer, read(fd, buffer, sizeof(buffer)));
    printf("close on exec: %d\n", fcntl(dirfd(dir), F_GETFD));
    int number = dirfd(dir);
    closedir(dir);
    printf("closed: %s\n", result(fcntl(number, F_GETFD)));

    fd = open(at("text"), O_RDONLY | O_DIRECTORY);
    dir = fdopendir(fd);
    int n = 0;
    while (readdir(dir))
        n++;
    printf("fdopendir: %d %d\n", dirfd(dir) == fd, n);
    closedir(dir);
    printf("closed: %s\n", result(fcntl(fd, F_GETFD)));

    dir = opendir(at("one-byte"));
    printf("file: %s\n", dir ? "opened" : strerrorname_np(errno));
    dir = opendir(at("missing"));
    printf("missing: %s\n", dir ? "opened" : strerrorname_np(errno));
    dir = fdopendir(must_open("one-byte"));
    printf("fdopendir of a file: %s\n", dir ? "opened" : strerrorname_np(errno));
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    list("");
    list("nested");
    list("marker");
    list("many");
    positions("pages");
    positions("many");
    reentrant();
    descriptors();
    return 0;
}
