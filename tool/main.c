/* warmpath: the command that a person uses. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "tool/commands.h"

static const struct command {
    const char *name;
    int (*run)(int n_args, char **args);
    const char *help;
} commands[] = {
    {"run", cmd_run, "[--map MAP] [--report] -- CMD ARG…   start a job whose files are in S3"},
    {"status", cmd_status, "[--json]                          what the agent holds and did"},
    {"node", cmd_node,
     "config|start|stop|status [--listen ADDR:PORT]   serve this node's blocks to others"},
    {"evict", cmd_evict, "                                   empty the cache"},
    {"stop", cmd_stop, "                                    end the agent"},
};

static void print_options(void)
{
    for (int i = 0; i < OPT_COUNT; i++)
        printf("  %-22s %s%s%s%s\n", option_rows[i].variable, option_rows[i].help,
               option_rows[i].fallback[0] ? " (" : "", option_rows[i].fallback,
               option_rows[i].fallback[0] ? ")" : "");
}

static void print_help(FILE *to)
{
    fputs("Objects in S3 as files for unmodified programs.\n\nusage:\n", to);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(to, "  warmpath %s %s\n", commands[i].name, commands[i].help);
    fputs("  warmpath help options                      the WARMPATH_* variables\n"
          "  warmpath --version\n\n"
          "Without the tool a job is started with LD_PRELOAD=…/libwarmpath.so and\n"
          "WARMPATH_MAP=/data=s3://bucket/prefix.\n",
          to);
}

int main(int n_args, char **args)
{
    const char *name = n_args > 1 ? args[1] : "";
    if (strcmp(name, "--version") == 0) {
        puts("warmpath " WARMPATH_VERSION);
        return 0;
    }
    if (strcmp(name, "help") == 0 && n_args > 2 && strcmp(args[2], "options") == 0) {
        print_options();
        return 0;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    bool wants_help = n_args == 3 && strcmp(args[2], "--help") == 0;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0 && wants_help && commands[i].run != cmd_run &&
            commands[i].run != cmd_node)
            return printf("usage: warmpath %s %s\n", commands[i].name, commands[i].help) < 0;
        else if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(n_args - 1, args + 1);
    if (*name)
        fprintf(stderr, "warmpath: '%s' is not a command\n\n", name);
    print_help(stderr);
    return 2;
}
