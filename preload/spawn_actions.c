#include "preload/spawn_actions.h"

#include <fcntl.h>

#include "preload/cwd.h"
#include "preload/handover.h"
#include "preload/hook.h"
#include "preload/memory.h"
#include "preload/ownfd.h"

/* glibc's, behind the pointer in posix_spawn_file_actions_t. Programs carry the array in memory
 * that they allocated with the size in their header, so it is as fixed as what is public. Source:
 * glibc, posix/spawn_int.h; kinds were only ever added at the end. */
enum kind { KIND_CLOSE, KIND_DUP2, KIND_OPEN, KIND_CHDIR, KIND_FCHDIR };

struct action {
    int kind;
    union {
        int fd;
        struct {
            int from, to;
        } dup2;
        struct {
            int fd;
            char *path;
            int flags;
            mode_t mode;
        } open;
        char *path;
    };
};

struct __spawn_action {
    struct action a;
};
_Static_assert(sizeof(struct action) == 32, "as glibc has it");

/* In pages of its own: a list has no limit, and paths are long. */
struct spawn_room {
    int n;
    struct slot {
        struct __spawn_action action;
        int opened; /* a descriptor to close afterwards, or -1 */
        char path[PATH_MAX + 512];
    } slots[];
};

static bool is_mapped(const struct action *a, bool served)
{
    switch (a->kind) {
    case KIND_DUP2:
        return !served && fdtab_has(a->dup2.from);
    case KIND_OPEN:
        return !target_is_elsewhere(AT_FDCWD, a->open.path);
    case KIND_CHDIR:
        return !target_is_elsewhere(AT_FDCWD, a->path);
    case KIND_FCHDIR:
        return fdtab_has(a->fd);
    default:
        return false;
    }
}

static bool any_is_mapped(const posix_spawn_file_actions_t *given, bool served)
{
    for (int i = 0; given && i < given->__used; i++)
        if (is_mapped(&given->__actions[i].a, served))
            return true;
    return false;
}

/* Opened here, out of the way of the numbers that the child gives out. */
static int open_here(struct slot *s, bool served)
{
    struct action *a = &s->action.a;
    int fd = open(a->open.path, a->open.flags | O_CLOEXEC, a->open.mode);
    if (fd < 0)
        return -errno;
    if (!served)
        handover_descriptor(fd);
    fdtab_drop(fd);
    s->opened = ownfd_take(fd);
    int to = a->open.fd;
    a->kind = KIND_DUP2;
    a->dup2.from = s->opened;
    a->dup2.to = to;
    return 0;
}

static int go_to(struct slot *s, const struct target *t)
{
    int r = lookup_directory(t);
    if (r == 0)
        r = cwd_standin(t->path, s->path, sizeof(s->path));
    s->action.a.kind = KIND_CHDIR;
    s->action.a.path = s->path;
    return r;
}

static int change(struct slot *s, bool served)
{
    struct action *a = &s->action.a;
    struct target t;
    if (a->kind == KIND_DUP2)
        handover_descriptor(a->dup2.from);
    if (a->kind == KIND_OPEN)
        return open_here(s, served);
    if (a->kind == KIND_CHDIR) {
        const char *path = a->path;
        int r = hook_find(AT_FDCWD, path, &t);
        return r > 0 ? go_to(s, &t) : r;
    }
    if (a->kind == KIND_FCHDIR) {
        PINNED struct file *dir = fdtab_get(a->fd);
        return dir ? go_to(s, &dir->target) : 0;
    }
    return 0;
}

int spawn_actions_begin(struct spawn_actions *s, const posix_spawn_file_actions_t *given,
                        bool served)
{
    s->use = given;
    s->room = NULL;
    if (!any_is_mapped(given, served))
        return 0;
    size_t n = (size_t)given->__used;
    s->room_bytes = sizeof(*s->room) + n * (sizeof(struct slot) + sizeof(struct __spawn_action));
    s->room = memory_map(s->room_bytes);
    if (!s->room)
        return -ENOMEM;
    struct __spawn_action *list = (struct __spawn_action *)(void *)&s->room->slots[n];
    s->own = *given;
    s->own.__actions = list;
    s->use = &s->own;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        struct slot *slot = &s->room->slots[i];
        slot->action = given->__actions[i];
        slot->opened = -1;
        s->room->n = (int)i + 1;
        if (is_mapped(&slot->action.a, served))
            r = change(slot, served);
        list[i] = slot->action;
    }
    return r;
}

void spawn_actions_end(struct spawn_actions *s)
{
    for (int i = 0; s->room && i < s->room->n; i++)
        if (s->room->slots[i].opened >= 0)
            ownfd_close(s->room->slots[i].opened);
    if (s->room)
        memory_unmap(s->room, s->room_bytes);
}
