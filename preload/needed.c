#include "preload/needed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/elf.h"
#include "preload/elsewhere.h"
#include "preload/fdtab.h"
#include "preload/memory.h"
#include "preload/mirror.h"
#include "preload/real.h"

#define LIBRARIES_MAX 1024
#define TEXT_BYTES    (256 * 1024)
#define ROOT          (-1)

struct library {
    char *path; /* mapped */
    int parent; /* index of the one that needs it */
    bool found; /* the loader finds its copy by itself */
};

/* One look at all that a file needs. Of its own pages: too large for a stack, and there may be no
 * malloc. */
struct walk {
    int n, now; /* libraries seen, the one that is looked at */
    size_t used;
    const char *library_path; /* LD_LIBRARY_PATH, or NULL */
    bool has_runpath;
    char runpath[ELF_TEXT_MAX];
    char rpath[ELF_TEXT_MAX];
    char above[ELF_TEXT_MAX]; /* the RPATH of one that needs it */
    char real[MIRROR_PATH_MAX];
    struct target target;
    struct target *wanted; /* needed_find(): where to put the answer */
    struct library libraries[LIBRARIES_MAX];
    char text[TEXT_BYTES];
};

static struct walk *walk_new(const struct target *t)
{
    struct walk *w = memory_map(sizeof(*w));
    if (!w)
        return NULL;
    if (t)
        memcpy(w->text, t->path, t->path_len + 1);
    w->libraries[0] = (struct library){.path = w->text, .parent = ROOT, .found = true};
    w->used = strlen(w->text) + 1;
    w->n = 1;
    return w;
}

static void add(struct walk *w, const char *path, bool found)
{
    size_t len = strlen(path) + 1;
    if (w->n == LIBRARIES_MAX || w->used + len > sizeof(w->text))
        return;
    w->libraries[w->n++] =
        (struct library){.path = w->text + w->used, .parent = w->now, .found = found};
    memcpy(w->text + w->used, path, len);
    w->used += len;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_known(const struct walk *w, const char *name)
{
    for (int i = 0; i < w->n; i++)
        if (strcmp(base_name(w->libraries[i].path), name) == 0)
            return true;
    return false;
}

/* libc's own parts are loaded already and have to match the loader: no second set of them. */
static bool is_libc(const char *name)
{
    static const char *const parts[] = {"libc.so.",  "libm.so.",   "libpthread.so.", "libdl.so.",
                                        "librt.so.", "libutil.so", "ld-linux"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

/* "$ORIGIN/../lib" of the library at `owner` → a path. False when it does not fit or names another
 * variable. */
static bool expand(const char *entry, size_t len, const char *owner, const char *name,
                   char out[PATH_MAX], bool *by_origin)
{
    size_t skip = 0;
    int n;
    *by_origin = true;
    if (len >= 7 && strncmp(entry, "$ORIGIN", 7) == 0)
        skip = 7;
    else if (len >= 9 && strncmp(entry, "${ORIGIN}", 9) == 0)
        skip = 9;
    if (memchr(entry + skip, '$', len - skip))
        return false;
    if (skip) {
        n = snprintf(out, PATH_MAX, "%.*s/%.*s/%s", (int)(base_name(owner) - owner), owner,
                     (int)(len - skip), entry + skip, name);
    } else {
        *by_origin = false;
        n = snprintf(out, PATH_MAX, "%.*s/%s", (int)len, len ? entry : ".", name);
    }
    return n > 0 && n < PATH_MAX;
}

/* Looks for `name` in one directory: true when the search is over. */
static bool try_directory(struct walk *w, const char *path, const char *name, bool found)
{
    const char *place = path;
    int saved_errno = errno;
    if (target_is_elsewhere(AT_FDCWD, path) || target_find(AT_FDCWD, &place, &w->target) <= 0) {
        bool exists = REAL(access)(place, R_OK) == 0; /* the loader finds it there */
        errno = saved_errno;
        return exists;
    }
    int error;
    PINNED struct file *f = file_open_unlisted(&w->target, &error);
    if (!f)
        return false;
    if (w->wanted) {
        *w->wanted = w->target;
        w->wanted = NULL;
        return true;
    }
    if (is_known(w, name) || mirror_file(f, w->real, sizeof(w->real)) < 0)
        return true;
    add(w, w->target.path, found);
    return true;
}

static bool search(struct walk *w, const char *list, const char *owner, const char *name)
{
    char path[PATH_MAX];
    bool by_origin;
    for (const char *entry = list; *entry;) {
        size_t len = strcspn(entry, ":");
        if (expand(entry, len, owner, name, path, &by_origin) &&
            try_directory(w, path, name, by_origin))
            return true;
        entry += len + (entry[len] == ':');
    }
    return false;
}

/* --- what one file says ------------------------------------------------------------------ */

static void keep_search_paths(void *user, enum elf_tag tag, const char *text)
{
    struct walk *w = user;
    if (tag == ELF_RPATH)
        strcpy(w->rpath, text);
    if (tag == ELF_RUNPATH) {
        strcpy(w->runpath, text);
        w->has_runpath = true;
    }
}

static void keep_above(void *user, enum elf_tag tag, const char *text)
{
    struct walk *w = user;
    if (tag == ELF_RPATH)
        strcpy(w->above, text);
}

/* Visits the texts of a library's copy. */
static void look_at(struct walk *w, int i, void (*visit)(void *, enum elf_tag, const char *))
{
    const char *place = w->libraries[i].path;
    if (target_find(AT_FDCWD, &place, &w->target) <= 0 ||
        !mirror_path(&w->target, w->real, sizeof(w->real)))
        return;
    int saved_errno = errno;
    int fd = REAL(open)(w->real, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        elf_each_text((struct elf_file){fd, REAL(pread)}, visit, w);
        syscall(SYS_close, fd);
    }
    errno = saved_errno;
}

/* In the loader's order: the RPATHs of the library and of those that need it, unless it has a
 * RUNPATH; LD_LIBRARY_PATH; RUNPATH. */
static void find(struct walk *w, const char *name)
{
    const char *owner = w->libraries[w->now].path;
    if (!w->has_runpath && search(w, w->rpath, owner, name))
        return;
    for (int i = w->libraries[w->now].parent; i != ROOT && !w->has_runpath;
         i = w->libraries[i].parent) {
        w->above[0] = '\0';
        look_at(w, i, keep_above);
        if (search(w, w->above, w->libraries[i].path, name))
            return;
    }
    if (w->library_path && search(w, w->library_path, owner, name))
        return;
    search(w, w->runpath, owner, name);
}

static void collect(void *user, enum elf_tag tag, const char *text)
{
    struct walk *w = user;
    if (tag == ELF_NEEDED && !strchr(text, '/') && !is_libc(text) && !is_known(w, text))
        find(w, text);
}

static void read_search_paths(struct walk *w)
{
    w->has_runpath = false;
    w->runpath[0] = w->rpath[0] = '\0';
    look_at(w, w->now, keep_search_paths);
}

void needed_copy(const struct target *t, const char *library_path,
                 void (*missed)(void *user, const char *copy), void *user)
{
    struct walk *w = walk_new(t);
    if (!w)
        return;
    w->library_path = library_path;
    for (; w->now < w->n; w->now++) {
        read_search_paths(w);
        look_at(w, w->now, collect);
    }
    for (int i = w->n - 1; i > 0 && missed; i--) {
        const char *place = w->libraries[i].path;
        if (!w->libraries[i].found && target_find(AT_FDCWD, &place, &w->target) > 0 &&
            mirror_path(&w->target, w->real, sizeof(w->real)))
            missed(user, w->real);
    }
    memory_unmap(w, sizeof(*w));
}

int needed_find(const struct target *caller, const char *name, struct target *found)
{
    struct walk *w = walk_new(caller);
    if (!w)
        return 0;
    w->wanted = found;
    w->library_path = getenv("LD_LIBRARY_PATH");
    if (caller)
        read_search_paths(w);
    find(w, name);
    int r = w->wanted ? 0 : 1;
    memory_unmap(w, sizeof(*w));
    return r;
}
