/* libc's tree walkers, which are not supported under a mapping yet: they say so, and find nothing. */
#include "case.h"

#include <fts.h>
#include <ftw.h>
#include <sys/stat.h>

static int visits;

static int count(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)path;
    (void)st;
    (void)flag;
    (void)where;
    return visits++ < 0;
}

static int count_old(const char *path, const struct stat *st, int flag)
{
    return count(path, st, flag, NULL);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    char *paths[] = {(char *)at("nested"), NULL};
    printf("nftw: %s\n", result(nftw(at(""), count, 20, FTW_PHYS)));
    printf("ftw: %s\n", result(ftw(at("nested"), count_old, 5)));
    printf("fts: %s\n", fts_open(paths, FTS_PHYSICAL, NULL) ? "opened" : strerrorname_np(errno));
    printf("visits: %d\n", visits);
    return 0;
}
