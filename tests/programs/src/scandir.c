/* libc's own walkers, which call the kernel from inside: scandir, glob, realpath. */
#include "case.h"

#include <dirent.h>
#include <glob.h>
#include <limits.h>

static int text_only(const struct dirent *entry)
{
    return strstr(entry->d_name, ".txt") != NULL;
}

static void scans(void)
{
    struct dirent **entries;
    int n = scandir(at("text"), &entries, text_only, alphasort);
    for (int i = 0; i < n; i++)
        printf("scandir: %s %d\n", entries[i]->d_name, entries[i]->d_type == DT_REG);
    n = scandir(at("pages"), &entries, NULL, alphasort);
    printf("scandir: %d, first %s, last %s\n", n, entries[2]->d_name, entries[n - 1]->d_name);
    printf("missing: %s\n", result(scandir(at("missing"), &entries, NULL, NULL)));
    int top = open(tree, O_RDONLY | O_DIRECTORY);
    printf("scandirat: %d\n", scandirat(top, "nested", &entries, NULL, versionsort));
}

static void patterns(void)
{
    glob_t found;
    char pattern[4200];
    snprintf(pattern, sizeof(pattern), "%s/*/*/*leaf*", tree);
    printf("glob: %d", glob(pattern, 0, NULL, &found));
    printf(" %zu %s\n", found.gl_pathc, found.gl_pathv[0]);
    snprintf(pattern, sizeof(pattern), "%s/none*", tree);
    printf("glob none: %d\n", glob(pattern, 0, NULL, &found));
    snprintf(pattern, sizeof(pattern), "%s/t*/{alpha,beta}.txt", tree);
    printf("glob brace: %d", glob(pattern, GLOB_BRACE | GLOB_MARK, NULL, &found));
    printf(" %zu\n", found.gl_pathc);
}

static void paths(void)
{
    char buffer[PATH_MAX];
    static const char *names[] = {"text/../nested//a/./leaf-a.txt", "text", "marker/", "missing", "one-byte/x"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        printf("realpath: %s\n", realpath(at(names[i]), buffer) ? buffer : strerrorname_np(errno));
    printf("chdir: %s", result(chdir(at("nested/a"))));
    printf(" %s", getcwd(buffer, sizeof(buffer)));
    printf(" %s", get_current_dir_name());
    printf(" %s\n", realpath("../a.txt", buffer));
    printf("short buffer: %s\n", getcwd(buffer, 3) ? buffer : strerrorname_np(errno));
    char *name = canonicalize_file_name("leaf-a.txt");
    printf("canonicalize: %s\n", name);
    printf("fchdir: %s", result(fchdir(open(at("text"), O_RDONLY | O_DIRECTORY))));
    printf(" %s\n", getcwd(buffer, sizeof(buffer)));
    printf("chdir to a file: %s\n", result(chdir("crlf.txt")));
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    scans();
    patterns();
    paths();
    return 0;
}
