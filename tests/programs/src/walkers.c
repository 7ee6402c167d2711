/* nftw, ftw and fts with every flag. Directories list in no fixed order, so what a walk saw is sorted,
 * and what must hold of its order is checked while it runs. */
#include "case.h"

#include <fts.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

static char *lines[8192];
static int n_lines;

static void add(const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    lines[n_lines++] = strdup(line);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell(const char *title)
{
    printf("%s: %d\n", title, n_lines);
    qsort(lines, (size_t)n_lines, sizeof(*lines), by_text);
    for (int i = 0; i < n_lines; i++) {
        if (i < 120)
            printf("  %s\n", lines[i]);
        free(lines[i]);
    }
    n_lines = 0;
}

/* --- nftw ------------------------------------------------------------------------------- */

static const char *const flag_names[] = {
    [FTW_F] = "F", [FTW_D] = "D", [FTW_DNR] = "DNR", [FTW_NS] = "NS", [FTW_SL] = "SL", [FTW_DP] = "DP", [FTW_SLN] = "SLN"};
static int last_level, ordered, changes;

static int note(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    add("%s %s %d %s %lld", flag_names[flag], path, where->level, path + where->base, flag == FTW_F ? (long long)st->st_size : -1);
    if (flag == FTW_D && where->level > last_level + 1)
        ordered = 0;
    last_level = where->level;
    if (changes) {
        struct stat here;
        if (flag != FTW_SLN && flag != FTW_DP && (lstat(path + where->base, &here) < 0 || (flag != FTW_D && here.st_ino != st->st_ino)))
            add("  not found from here: %s", path);
    }
    return 0;
}

static int note_old(const char *path, const struct stat *st, int flag)
{
    add("%s %s %d", flag_names[flag], path, S_ISDIR(st->st_mode));
    return 0;
}

static int third(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)path, (void)st, (void)flag;
    return where->level == 2 ? 77 : 0;
}

static int prune(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    add("%s %s", flag_names[flag], path);
    if (strcmp(path + where->base, "b") == 0)
        return FTW_SKIP_SUBTREE;
    return strcmp(path + where->base, "stop-here") == 0 ? FTW_STOP : FTW_CONTINUE;
}

static int first_only(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)path, (void)st, (void)flag;
    add("level %d", where->level);
    return where->level == 1 ? FTW_SKIP_SIBLINGS : FTW_CONTINUE;
}

static void walk(const char *title, const char *path, int streams, int flags)
{
    char before[PATH_MAX], after[PATH_MAX];
    getcwd(before, sizeof(before));
    ordered = 1;
    last_level = 0;
    changes = flags & FTW_CHDIR;
    errno = 0;
    int r = nftw(path, note, streams, flags);
    printf("%d %s, ordered %d, stayed %d\n", r, r < 0 ? strerrorname_np(errno) : "", ordered || (flags & FTW_DEPTH),
           strcmp(getcwd(after, sizeof(after)), before) == 0);
    tell(title);
}

static void new_walks(void)
{
    walk("physical", at("nested"), 20, FTW_PHYS);
    walk("one stream", at("nested"), 1, FTW_PHYS);
    walk("no stream, depth", at("nested"), 0, FTW_PHYS | FTW_DEPTH);
    walk("logical", at("nested"), 5, 0);
    walk("mount, slashes", at("nested///"), 3, FTW_PHYS | FTW_MOUNT);
    walk("chdir", at("nested"), 20, FTW_PHYS | FTW_CHDIR);
    walk("chdir and depth, few", at("nested"), 2, FTW_PHYS | FTW_CHDIR | FTW_DEPTH);
    walk("logical chdir", at("text"), 4, FTW_CHDIR);
    walk("a file", at("one-byte"), 4, FTW_PHYS);
    walk("missing", at("missing"), 4, FTW_PHYS);
    walk("below a file", at("one-byte/x"), 4, 0);
    walk("nothing", "", 4, FTW_PHYS);
    walk("bad flags", at("text"), 4, 4096);
    walk("through a link", "link/nested", 4, FTW_PHYS);
    walk("local directory, links followed", "local", 4, 0);
    walk("local directory, links not followed", "local", 4, FTW_PHYS);
    walk("many", at("pages"), 4, FTW_PHYS);
    chdir(tree);
    walk("relative", "nested/a", 4, FTW_PHYS);
    walk("dot", ".", 8, FTW_PHYS | FTW_CHDIR | FTW_DEPTH);
    chdir(getenv("T"));
    printf("stopped: %d\n", nftw(at("nested"), third, 4, FTW_PHYS));
    printf("pruned: %d\n", nftw(at("nested"), prune, 4, FTW_PHYS | FTW_ACTIONRETVAL));
    tell("pruned");
    printf("siblings: %d\n", nftw(at("text"), first_only, 4, FTW_PHYS | FTW_ACTIONRETVAL));
    tell("siblings");
    printf("ftw: %d\n", ftw(at("nested"), note_old, 5));
    tell("ftw");
    printf("ftw: %d\n", ftw("local", note_old, 5));
    tell("ftw of links");
    printf("ftw missing: %s\n", result(ftw(at("missing"), note_old, 5)));
}

/* --- fts -------------------------------------------------------------------------------- */

static const char *const info_names[] = {"?", "D", "DC", "DEFAULT", "DNR", "DOT", "DP", "ERR", "F", "INIT", "NS", "NSOK", "SL", "SLNONE"};

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void show_entry(FTS *fts, const FTSENT *e)
{
    struct stat st;
    printf("  %-6s %d %s [%s] len %d %d, parent %s, errno %d, %s", info_names[e->fts_info], e->fts_level, e->fts_path, e->fts_name,
           e->fts_pathlen == strlen(e->fts_path), e->fts_namelen == strlen(e->fts_name),
           e->fts_level > 0 ? e->fts_parent->fts_name : "-", e->fts_errno, e->fts_info == FTS_DC ? e->fts_cycle->fts_path : "");
    if (e->fts_info == FTS_F || e->fts_info == FTS_D)
        printf(" reached %d", lstat(e->fts_accpath, &st) == 0 && ((fts->fts_options & FTS_NOSTAT) || e->fts_statp->st_ino == st.st_ino || e->fts_info == FTS_D));
    printf("\n");
}

static void traverse(const char *title, char *const *paths, int options)
{
    char before[PATH_MAX], after[PATH_MAX];
    getcwd(before, sizeof(before));
    FTS *fts = fts_open(paths, options, by_name);
    printf("%s: %s\n", title, fts ? "opened" : strerrorname_np(errno));
    if (!fts)
        return;
    FTSENT *e;
    while ((errno = 0, e = fts_read(fts)))
        show_entry(fts, e);
    printf("  end: %d", errno);
    printf(", close %s", result(fts_close(fts)));
    printf(", stayed %d\n", strcmp(getcwd(after, sizeof(after)), before) == 0);
}

static void instructions(int options)
{
    char *paths[] = {strdup(at("nested")), strdup(at("text")), "local", NULL};
    FTS *fts = fts_open(paths, options, by_name);
    FTSENT *e;
    int again = 0;
    printf("instructions: %d\n", fts_children(fts, 0) != NULL);
    while ((e = fts_read(fts))) {
        show_entry(fts, e);
        if (strcmp(e->fts_name, "b") == 0 && e->fts_info == FTS_D)
            fts_set(fts, e, FTS_SKIP);
        else if (strcmp(e->fts_name, "crlf.txt") == 0 && !again++)
            fts_set(fts, e, FTS_AGAIN);
        else if (e->fts_info == FTS_SL)
            fts_set(fts, e, FTS_FOLLOW);
        else if (strcmp(e->fts_name, "a") == 0 && e->fts_info == FTS_D) {
            e->fts_number = 5;
            for (FTSENT *child = fts_children(fts, 0); child; child = child->fts_link) {
                printf("    child %s %s\n", child->fts_name, info_names[child->fts_info]);
                if (strncmp(child->fts_name, "leaf", 4) == 0)
                    fts_set(fts, child, FTS_SKIP);
            }
        } else if (strcmp(e->fts_name, "text") == 0 && e->fts_info == FTS_D) {
            for (FTSENT *child = fts_children(fts, FTS_NAMEONLY); child; child = child->fts_link)
                printf("    name %s\n", child->fts_name);
        } else if (strcmp(e->fts_name, "a") == 0) {
            printf("    number %ld\n", e->fts_number);
        }
    }
    printf("bad: %d %s", fts_set(fts, NULL, 99), strerrorname_np(errno));
    fts_children(fts, 7);
    printf(" %s\n", strerrorname_np(errno));
    fts_close(fts);
}

static void walks(void)
{
    char *paths[] = {strdup(at("nested")), strdup(at("one-byte")), strdup(at("marker")), strdup(at("missing")), NULL};
    char *local[] = {"local", "link", NULL}, *nothing[] = {"", strdup(at("text")), NULL};
    traverse("physical", paths, FTS_PHYSICAL);
    traverse("physical, no chdir", paths, FTS_PHYSICAL | FTS_NOCHDIR);
    traverse("logical", paths, FTS_LOGICAL);
    traverse("see dots", paths, FTS_PHYSICAL | FTS_SEEDOT);
    traverse("no stat", paths, FTS_PHYSICAL | FTS_NOSTAT);
    traverse("one device", paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR);
    traverse("nothing", nothing, FTS_PHYSICAL);
    traverse("bad options", paths, 0x8000);
    traverse("local, logical", local, FTS_LOGICAL);
    local[0] = "link";
    local[1] = NULL;
    traverse("a link to the tree, not followed", local, FTS_PHYSICAL | FTS_NOSTAT);
    chdir(tree);
    char *dot[] = {".", NULL};
    FTS *fts = fts_open(dot, FTS_PHYSICAL, NULL);
    int n = 0, bytes = 0;
    for (FTSENT *e; (e = fts_read(fts)); n++)
        bytes += e->fts_pathlen + e->fts_namelen;
    printf("whole tree: %d entries, %d bytes\n", n, bytes);
    fts_close(fts);
    fts = fts_open(dot, FTS_PHYSICAL, by_name);
    for (n = 0; n < 50; n++)
        fts_read(fts);
    printf("left early: %s\n", result(fts_close(fts)));
    chdir(getenv("T"));
    instructions(FTS_PHYSICAL);
    instructions(FTS_PHYSICAL | FTS_NOCHDIR);
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    symlink(tree, "link");
    mkdir("local", 0755);
    symlink(at("nested/a/b"), "local/into");
    symlink(at("text/crlf.txt"), "local/to-file");
    symlink("nowhere", "local/dangling");
    symlink("..", "local/up");
    mkdir("local/sub", 0755);
    close(open("local/sub/file", O_CREAT | O_WRONLY, 0644));
    symlink(at("text"), "local/sub/text");
    unlink("local/up");
    new_walks();
    walks();
    return 0;
}
