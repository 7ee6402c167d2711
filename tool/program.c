#include "tool/program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/elf.h"

#define SCRIPT_DEPTH 4 /* as the kernel follows #! lines */

static bool find_command(const char *command, char *out, size_t size)
{
    if (strchr(command, '/')) {
        snprintf(out, size, "%s", command);
        return access(out, X_OK) == 0;
    }
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t len = strcspn(p, ":");
        snprintf(out, size, "%.*s/%s", (int)len, p, command);
        if (len && access(out, X_OK) == 0)
            return true;
        p += len + (p[len] == ':');
    }
    return false;
}

static bool examine_elf(int fd, const char *path, char *why, size_t why_size)
{
    char interpreter[256];
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) && geteuid() != 0) {
        snprintf(why, why_size, "%s is setuid: the system loads no library into it", path);
        return false;
    }
    if (!elf_interpreter((struct elf_file){fd, pread}, interpreter, sizeof(interpreter))) {
        snprintf(why, why_size, "%s is built for another kind of machine than the library", path);
        return false;
    }
    if (!interpreter[0]) {
        snprintf(why, why_size,
                 "%s is linked statically: no library can be loaded into it; use a dynamic build",
                 path);
        return false;
    }
    if (strstr(interpreter, "musl")) {
        snprintf(why, why_size, "%s uses musl, the library needs glibc; use a glibc build", path);
        return false;
    }
    return true;
}

/* "#!/usr/bin/env python3" → python3. */
static void script_program(char *line, char *out, size_t size)
{
    line[strcspn(line, "\n")] = '\0';
    char *save, *program = strtok_r(line + 2, " \t", &save);
    char *first = program ? strtok_r(NULL, " \t", &save) : NULL;
    const char *base = program ? strrchr(program, '/') : NULL;
    if (base && strcmp(base, "/env") == 0 && first && first[0] != '-')
        program = first;
    snprintf(out, size, "%s", program ? program : "");
}

static bool examine(const char *command, int depth, char *why, size_t why_size)
{
    char path[4096], head[256] = "";
    if (depth == 0 || !find_command(command, path, sizeof(path)))
        return true;
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, head, sizeof(head) - 1, 0) < 4)
        return true;
    if (memcmp(head, ELFMAG, SELFMAG) == 0)
        return examine_elf(fd, path, why, why_size);
    if (memcmp(head, "#!", 2) != 0)
        return true;
    char next[256];
    script_program(head, next, sizeof(next));
    return !next[0] || examine(next, depth - 1, why, why_size);
}

bool program_can_be_served(const char *command, char *why, size_t why_size)
{
    return examine(command, SCRIPT_DEPTH, why, why_size);
}
