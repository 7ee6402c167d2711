/* What the kernel has to be given to run a program that it doesn't see: a mapped script is given to
 * its interpreter as an argument, as the kernel does it; a mapped ELF program is run from a copy.
 */
#ifndef WARMPATH_PRELOAD_PROGRAM_H
#define WARMPATH_PRELOAD_PROGRAM_H

#include "common/elf.h"
#include "preload/mirror.h"

#define PROGRAM_SCRIPTS  4   /* #! lines that lead to another script, as in the kernel */
#define PROGRAM_HEAD_MAX 256 /* of a #! line; the same */

/* Room for the arguments, in the caller's frame: there may be no malloc after vfork. */
#define PROGRAM_ARGS_ROOM(n_args) ((n_args) + 2 * PROGRAM_SCRIPTS + 2)

struct program {
    const char *path; /* points into this struct, or is what was given */
    char **args;
    char copy[MIRROR_PATH_MAX];
    char elsewhere[PATH_MAX + 1]; /* a local path that led through a mapping */
    /* Directories of copies that the loader won't find by itself, joined by colons. */
    char libraries[ELF_TEXT_MAX];
    const char *library_path; /* LD_LIBRARY_PATH as the program will have it, or NULL */
    char head[PROGRAM_SCRIPTS][PROGRAM_HEAD_MAX + 1];
};

size_t program_count_args(char *const args[]);

/* Prepares to run `path`, which is mapped, or a local script whose interpreter may be. `room` holds
 * PROGRAM_ARGS_ROOM pointers. 0 or -errno, as execve() has it. Safe in a vfork child. */
int program_prepare(struct program *p, const char *path, char *const args[], char *const env[],
                    char **room);
/* The same for an open mapped file. */
int program_prepare_file(struct program *p, struct file *f, char *const args[], char *const env[],
                         char **room);

/* The environment to run it with: `env`, or one in the caller's frame that has `libraries` in its
 * LD_LIBRARY_PATH as well. */
#define PROGRAM_ENVIRONMENT(p, env)                                                                \
    (!(p)->libraries[0]                                                                            \
         ? (env)                                                                                   \
         : program_environment((p), (env),                                                         \
                               __builtin_alloca((program_count_args(env) + 2) * sizeof(char *)),   \
                               __builtin_alloca(program_environment_bytes(p, env))))
size_t program_environment_bytes(const struct program *p, char *const env[]);
char **program_environment(const struct program *p, char *const env[], char **room, char *text);

/* "#! /bin/sh -e" → "/bin/sh" and "-e", in place (`head` has room for one byte more than `len`).
 * False when it is no script, or names no interpreter or one that does not fit. */
bool program_parse_script(char *head, size_t len, char **interpreter, char **argument);

/* Is this local file a script whose interpreter lies under a mapping, or a link that leads there?
 * Asked when the kernel said ENOENT. */
bool program_needs_mapping(const char *path);

#endif
