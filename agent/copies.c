#include "agent/copies.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/options.h"

#define OPEN_MAX_DEPTH 32

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

void copies_remove(void)
{
    char dir[4200];
    for (int i = 0; i < OPTION_COPIES_DIRS; i++)
        if (option_copies_dir(i, dir, sizeof(dir)))
            nftw(dir, remove_one, OPEN_MAX_DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
