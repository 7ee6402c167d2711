#include "preload/program.h"

#include <elf.h>
#include <sys/syscall.h>

#include "preload/hook.h"
#include "preload/needed.h"

size_t program_count_args(char *const args[])
{
    size_t n = 0;
    while (args && args[n])
        n++;
    return n;
}

/* Cuts a word's blanks. */
static char *skip_blanks(char *text)
{
    return text + strspn(text, " \t");
}

static bool is_script(const char *head, size_t len)
{
    return len >= 2 && head[0] == '#' && head[1] == '!';
}

bool program_parse_script(char *head, size_t len, char **interpreter, char **argument)
{
    if (!is_script(head, len))
        return false;
    head[len] = '\0';
    size_t line = strcspn(head, "\n");
    bool whole = head[line] == '\n' || len < PROGRAM_HEAD_MAX;
    head[line] = '\0';
    while (line > 2 && strchr(" \t", head[line - 1]))
        head[--line] = '\0';
    char *name = skip_blanks(head + 2);
    size_t name_len = strcspn(name, " \t");
    if (name_len == 0 || (name[name_len] == '\0' && !whole))
        return false;
    char *rest = skip_blanks(name + name_len);
    *interpreter = name;
    *argument = *rest ? rest : NULL;
    name[name_len] = '\0';
    return true;
}

static void put_before(struct program *p, const char *arg)
{
    *--p->args = (char *)(uintptr_t)arg;
}

/* The interpreter's command line: itself, its argument, the script's path, the script's arguments.
 * The interpreter's path, or NULL when it is no script. */
static const char *put_interpreter(struct program *p, char *head, size_t len, const char *script)
{
    char *interpreter, *argument;
    if (!program_parse_script(head, len, &interpreter, &argument))
        return NULL;
    if (p->args[0])
        p->args[0] = (char *)(uintptr_t)script;
    else
        put_before(p, script);
    if (argument)
        put_before(p, argument);
    put_before(p, interpreter);
    return interpreter;
}

static bool is_elf(const char *head, size_t len)
{
    return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

/* The first bytes of a local file. How many, 0 when it can't be read. */
static size_t read_local_head(const char *path, char head[PROGRAM_HEAD_MAX + 1])
{
    int fd = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    long n = REAL(pread)(fd, head, PROGRAM_HEAD_MAX, 0);
    syscall(SYS_close, fd);
    return n > 0 ? (size_t)n : 0;
}

/* Does a link on the local disk lead to it? For what the kernel says ENOENT to. */
static bool leads_to_target(const char *path, struct target *t)
{
    int saved_errno = errno;
    errno = ENOENT;
    bool leads = follow_find(AT_FDCWD, path, 0, t) > 0 && !t->bare;
    errno = saved_errno;
    return leads;
}

bool program_needs_mapping(const char *path)
{
    struct target t;
    char head[PROGRAM_HEAD_MAX + 1], *interpreter, *argument;
    int saved_errno = errno;
    size_t n = read_local_head(path, head);
    errno = saved_errno;
    if (n == 0)
        return leads_to_target(path, &t);
    return program_parse_script(head, n, &interpreter, &argument) &&
           (!target_is_elsewhere(AT_FDCWD, interpreter) || leads_to_target(interpreter, &t));
}

/* --- libraries that the loader won't find ------------------------------------------------ */

#define LIBRARY_PATH "LD_LIBRARY_PATH="

static const char *given_path(char *const env[])
{
    for (; env && *env; env++)
        if (strncmp(*env, LIBRARY_PATH, strlen(LIBRARY_PATH)) == 0)
            return *env;
    return LIBRARY_PATH;
}

size_t program_environment_bytes(const struct program *p, char *const env[])
{
    return strlen(given_path(env)) + strlen(p->libraries) + 2;
}

char **program_environment(const struct program *p, char *const env[], char **room, char *text)
{
    size_t n = 0;
    const char *given = given_path(env);
    const char *colon = given[strlen(LIBRARY_PATH)] ? ":" : "";
    sprintf(text, "%s%s%s", given, colon, p->libraries);
    for (; env && *env; env++)
        if (*env != given)
            room[n++] = *env;
    room[n++] = text;
    room[n] = NULL;
    return room;
}

/* Its directory, once. */
static void keep_directory(void *user, const char *copy)
{
    struct program *p = user;
    char dir[MIRROR_PATH_MAX];
    size_t len = (size_t)(strrchr(copy, '/') - copy), used = strlen(p->libraries);
    memcpy(dir, copy, len);
    dir[len] = '\0';
    if (strstr(p->libraries, dir) || (p->library_path && strstr(p->library_path, dir)) ||
        used + len + 2 > sizeof(p->libraries))
        return;
    sprintf(p->libraries + used, "%s%s", used ? ":" : "", dir);
}

/* --- looking into files --------------------------------------------------------------------- */

static void begin(struct program *p, char *const args[], char *const env[], char **room)
{
    size_t n = program_count_args(args);
    const char *given = given_path(env) + strlen(LIBRARY_PATH);
    p->library_path = *given ? given : NULL;
    p->libraries[0] = '\0';
    p->args = room + 2 * PROGRAM_SCRIPTS + 1;
    for (size_t i = 0; i < n; i++)
        p->args[i] = args[i];
    p->args[n] = NULL;
}

/* One step: 0 when the program is known, 1 when `*path` became the script's interpreter, -errno. */
static int look_into(struct program *p, struct file *f, const char **path, char *head)
{
    ssize_t n = file_pread(f, head, PROGRAM_HEAD_MAX, 0);
    if (n < 0)
        return (int)n;
    if (is_script(head, (size_t)n)) {
        *path = put_interpreter(p, head, (size_t)n, *path);
        return *path ? 1 : -ENOEXEC;
    }
    if (!is_elf(head, (size_t)n))
        return -ENOEXEC;
    p->path = p->copy;
    int r = mirror_file(f, p->copy, sizeof(p->copy));
    if (r == 0)
        needed_copy(&f->target, p->library_path, keep_directory, p);
    return r;
}

static int look_into_target(struct program *p, const struct target *t, const char **path,
                            char *head)
{
    int error;
    PINNED struct file *f = file_open_unlisted(t, &error);
    if (!f)
        return error == -EISDIR ? -EACCES : error;
    return look_into(p, f, path, head);
}

/* A local file: the kernel runs it, unless it is a script whose interpreter only we can see. */
static int look_into_local(struct program *p, const struct target *t, const char **path, char *head)
{
    size_t n = program_needs_mapping(*path) ? read_local_head(*path, head) : 0;
    if (n > 0) {
        *path = put_interpreter(p, head, n, *path);
        return *path ? 1 : -ENOEXEC;
    }
    p->path = *path;
    if (*path == t->path) { /* it led through a mapping; `t` won't last */
        strcpy(p->elsewhere, t->path);
        p->path = p->elsewhere;
    }
    return 0;
}

static int follow(struct program *p, const char *path, int step)
{
    for (; step < PROGRAM_SCRIPTS; step++) {
        struct target t;
        int r = hook_find(AT_FDCWD, path, &t);
        if (r == 0 && REAL(access)(path, F_OK) < 0)
            r = leads_to_target(path, &t);
        if (r > 0)
            r = look_into_target(p, &t, &path, p->head[step]);
        else if (r == 0)
            r = look_into_local(p, &t, &path, p->head[step]);
        if (r <= 0)
            return r;
    }
    return -ELOOP;
}

int program_prepare(struct program *p, const char *path, char *const args[], char *const env[],
                    char **room)
{
    begin(p, args, env, room);
    return follow(p, path, 0);
}

int program_prepare_file(struct program *p, struct file *f, char *const args[], char *const env[],
                         char **room)
{
    begin(p, args, env, room);
    strcpy(p->elsewhere, f->target.path); /* the script's name, to its interpreter */
    const char *path = p->elsewhere;
    int r = f->kind == FILE_DIRECTORY ? -EACCES : look_into(p, f, &path, p->head[0]);
    return r == 1 ? follow(p, path, 1) : r;
}
