/* warmpath run: starts a job under the library. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/map.h"
#include "common/options.h"
#include "tool/commands.h"
#include "tool/program.h"

static int complaints;

static void complain(const char *sentence)
{
    fprintf(stderr, "warmpath: %s\n", sentence);
    complaints++;
}

/* Beside the tool (a build), or where `make install` puts it. */
static bool find_library(char *out, size_t size)
{
    static const char *const places[] = {"libwarmpath.so", "../lib/warmpath/libwarmpath.so"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    *(strrchr(self, '/') + 1) = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if ((size_t)snprintf(out, size, "%s%s", self, places[i]) < size && access(out, R_OK) == 0)
            return true;
    }
    fprintf(stderr, "warmpath: libwarmpath.so is not beside %s nor in ../lib/warmpath\n", self);
    return false;
}

static void set_preload(const char *library)
{
    char value[8192];
    const char *others = getenv("LD_PRELOAD");
    snprintf(value, sizeof(value), "%s%s%s", library, others && *others ? ":" : "",
             others ? others : "");
    setenv("LD_PRELOAD", value, 1);
}

static void add_mapping(const char *mapping)
{
    char value[MAP_MAX_BYTES + 1];
    const char *others = getenv("WARMPATH_MAP");
    snprintf(value, sizeof(value), "%s%s%s", others ? others : "", others && *others ? "," : "",
             mapping);
    setenv("WARMPATH_MAP", value, 1);
}

static const char usage_text[] =
    "usage: warmpath run [--map /data=s3://bucket/prefix]... [--report] -- CMD ARG...\n"
    "  --map     one more mapping than WARMPATH_MAP has\n"
    "  --report  what the cache did, on stderr, when the job ends\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return 2;
}

/* The index of CMD in args, or 0 when the line is no good. */
static int read_flags(int n_args, char **args)
{
    int i = 1;
    for (; i < n_args && args[i][0] == '-'; i++) {
        if (strcmp(args[i], "--") == 0)
            return i + 1 < n_args ? i + 1 : 0;
        if (strcmp(args[i], "--map") == 0 && i + 1 < n_args)
            add_mapping(args[++i]);
        else if (strcmp(args[i], "--report") == 0)
            setenv("WARMPATH_REPORT", "1", 1);
        else
            return 0;
    }
    return i < n_args ? i : 0;
}

/* Is it the path of a program that only the library can see? */
static bool is_mapped(const struct map *map, const char *command)
{
    char path[4096];
    size_t len = strlen(command);
    if (command[0] != '/' || len >= sizeof(path))
        return false;
    memcpy(path, command, len + 1);
    len = path_normalise(path, len);
    return map_find(map, path, len) != NULL;
}

/* The kernel finds no such program: a shell that has the library is asked to execute it. */
static void run_mapped(char **command, int n)
{
    static char shell[] = "/bin/sh", flag[] = "-c", line[] = "exec \"$0\" \"$@\"";
    char **words = calloc((size_t)n + 4, sizeof(*words));
    if (!words)
        return;
    words[0] = shell;
    words[1] = flag;
    words[2] = line;
    memcpy(words + 3, command, (size_t)n * sizeof(*words));
    execv(shell, words);
    free(words);
}

int cmd_run(int n_args, char **args)
{
    static struct map map;
    char library[4200], why[1024];
    if (n_args > 1 && strcmp(args[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    int at = read_flags(n_args, args);
    if (at == 0)
        return usage();
    const char *spec = getenv("WARMPATH_MAP");
    map_parse(&map, spec ? spec : "", complain);
    options_check(complain);
    if (complaints)
        return 2;
    if (map.n == 0) {
        fprintf(stderr, "warmpath: nothing is mapped: give --map /data=s3://bucket/prefix or set "
                        "WARMPATH_MAP\n");
        return 2;
    }
    if (!program_can_be_served(args[at], why, sizeof(why))) {
        fprintf(stderr, "warmpath: %s\n", why);
        return 1;
    }
    if (!find_library(library, sizeof(library)))
        return 1;
    set_preload(library);
    if (is_mapped(&map, args[at]))
        run_mapped(args + at, n_args - at);
    else
        execvp(args[at], args + at);
    fprintf(stderr, "warmpath: %s can't be started: %s\n", args[at], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
