/* The subcommands: one cmd_*.c each. They return the tool's exit status: 0 done, 1 failed, 2
 * misused. */
#ifndef WARMPATH_TOOL_COMMANDS_H
#define WARMPATH_TOOL_COMMANDS_H

/* args[0] is the command's own name. */
int cmd_node(int n_args, char **args);
int cmd_run(int n_args, char **args);
int cmd_status(int n_args, char **args);
int cmd_stop(int n_args, char **args);
int cmd_evict(int n_args, char **args);

#endif
