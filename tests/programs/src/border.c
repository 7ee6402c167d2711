/* Mappings below a local directory, as libc's functions see them. */
#include "case.h"

#include <dirent.h>
#include <fts.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

static int found, in_mapping;

static int note(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st, (void)where;
    found += flag == FTW_F;
    in_mapping += strstr(path, "/in/") != NULL;
    return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int everything(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void positions(void)
{
    DIR *dir = opendir(tree);
    long told[64];
    char names[64][300];
    int n = 0;
    struct dirent *entry;
    for (told[0] = telldir(dir); (entry = readdir(dir)); told[++n] = telldir(dir))
        snprintf(names[n], sizeof(names[0]), "%s", entry->d_name);
    int right = 0;
    for (int i = n - 1; i >= 0; i--) {
        seekdir(dir, told[i]);
        entry = readdir(dir);
        right += entry && strcmp(entry->d_name, names[i]) == 0;
    }
    rewinddir(dir);
    int again = 0;
    while (readdir(dir))
        again++;
    printf("positions: %d of %d, again %d\n", right, n, again);
    printf("close: %s\n", result(closedir(dir)));
}

static void walk(const char *title, char *path, int options)
{
    char *paths[] = {path, NULL};
    FTS *fts = fts_open(paths, options, by_name);
    printf("%s\n", title);
    for (FTSENT *e; (e = fts_read(fts));)
        if (e->fts_info != FTS_DP)
            printf("  %d %s\n", e->fts_info, e->fts_path);
    printf("  %s\n", result(fts_close(fts)));
}

int main(int argc, char **argv)
{
    char where[PATH_MAX];
    tree = argv[argc - 1];
    struct dirent **names;
    int n = scandir(tree, &names, everything, alphasort);
    for (int i = 0; i < n; i++)
        printf("%s %d\n", names[i]->d_name, names[i]->d_type);
    n = scandirat(AT_FDCWD, at("deep"), &names, everything, alphasort);
    printf("scandirat: %d %s\n", n, n > 0 ? names[0]->d_name : "");
    positions();
    printf("nftw: %d", nftw(tree, note, 10, FTW_PHYS));
    printf(" %d %d\n", found, in_mapping);
    printf("nftw with chdir: %d", nftw(tree, note, 2, FTW_PHYS | FTW_CHDIR | FTW_DEPTH));
    printf(" %d %d\n", found, in_mapping);
    walk("fts", (char *)at(""), FTS_PHYSICAL);
    walk("fts without chdir", (char *)at("deep"), FTS_PHYSICAL | FTS_NOCHDIR);
    chdir(tree);
    walk("fts from here", ".", FTS_LOGICAL);
    chdir("in/a");
    walk("fts from inside", "../..", FTS_PHYSICAL);
    printf("%s\n", getcwd(where, sizeof(where)));
    return 0;
}
