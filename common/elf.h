/* What the system's loader would do with an ELF file: read from its headers, without allocating.
 * Reads the caller's descriptor by the caller's pread(): inside a job that is not just any. */
#ifndef WARMPATH_ELF_H
#define WARMPATH_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ELF_TEXT_MAX 4096 /* of a name or a search path */

struct elf_file {
    int fd;
    ssize_t (*pread)(int fd, void *buf, size_t n, off_t offset);
};

/* The interpreter that the program asks for, "" when it is linked statically. False when it isn't
 * an ELF file of this machine. */
bool elf_interpreter(struct elf_file file, char *out, size_t size);

/* Entries of the dynamic section that hold a string; the values are the format's own. */
enum elf_tag { ELF_NEEDED = 1, ELF_SONAME = 14, ELF_RPATH = 15, ELF_RUNPATH = 29 };

/* Calls `visit` with each of them, in file order. A text that is longer than ELF_TEXT_MAX is left
 * out. False when the file can't be read as ELF. */
bool elf_each_text(struct elf_file file,
                   void (*visit)(void *user, enum elf_tag tag, const char *text), void *user);

#endif
