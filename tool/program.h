/* Can the library be loaded into this program? */
#ifndef WARMPATH_TOOL_PROGRAM_H
#define WARMPATH_TOOL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Looks a command up as execvp() would and examines it, through `#!` lines. True when it can be
 * served; else a sentence in `why`. A command that isn't found counts as servable: execvp() says
 * what is wrong. */
bool program_can_be_served(const char *command, char *why, size_t why_size);

#endif
