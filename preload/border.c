#include "preload/border.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct place {
    dev_t device;
    ino_t inode;
    const char *path; /* in a mapping's prefix */
    size_t len;
    enum border_kind kind;
};

/* For each mapping the directory that lists it, and the one that it hides. */
static struct place places[2 * MAP_MAX_ENTRIES];
static int n_places;
static bool hides;

static bool look(struct place *p, const struct mapping *m, size_t len, enum border_kind kind)
{
    char path[PATH_MAX];
    struct stat st;
    if (len >= sizeof(path))
        return false;
    memcpy(path, len ? m->prefix : "/", len ? len : 1);
    path[len ? len : 1] = '\0';
    if (syscall(SYS_newfstatat, -1, path, &st, 0) < 0 || !S_ISDIR(st.st_mode))
        return false;
    *p = (struct place){st.st_dev, st.st_ino, len ? m->prefix : "/", len ? len : 1, kind};
    return true;
}

void border_init(void)
{
    int error = errno;
    for (int i = 0; i < state.map.n; i++) {
        const struct mapping *m = &state.map.entries[i];
        if (look(&places[n_places], m, m->prefix_len, BORDER_HIDDEN)) {
            n_places++;
            hides = true;
        }
        /* Upwards to the first that the kernel has. */
        for (size_t len = m->prefix_len; len > 0;) {
            while (m->prefix[--len] != '/')
                ;
            if (look(&places[n_places], m, len, BORDER_ABOVE)) {
                n_places++;
                break;
            }
        }
    }
    errno = error;
}

enum border_kind border_of(int fd, const char **path, size_t *len)
{
    struct stat st;
    if (!state.active)
        return BORDER_NONE;
    int error = errno;
    long r = n_places ? syscall(SYS_fstat, fd, &st) : -1;
    errno = error;
    for (int i = 0; r == 0 && i < n_places; i++)
        if (places[i].inode == st.st_ino && places[i].device == st.st_dev) {
            *path = places[i].path;
            *len = places[i].len;
            return places[i].kind;
        }
    return BORDER_NONE;
}

bool border_hides(void)
{
    return hides;
}

/* "in" for "/data/in/deep" in "/data". */
static bool name_below(const struct mapping *m, const char *dir, size_t dir_len, const char **name,
                       size_t *len)
{
    size_t stem = dir_len == 1 ? 0 : dir_len; /* "/" */
    if (m->prefix_len <= stem + 1 || memcmp(m->prefix, dir, stem) != 0 || m->prefix[stem] != '/')
        return false;
    *name = m->prefix + stem + 1;
    *len = strcspn(*name, "/");
    return true;
}

bool border_name(const char *dir, size_t dir_len, int i, const char **name, size_t *len)
{
    const char *other;
    size_t other_len;
    if (!name_below(&state.map.entries[i], dir, dir_len, name, len))
        return false;
    for (int k = 0; k < i; k++)
        if (name_below(&state.map.entries[k], dir, dir_len, &other, &other_len) &&
            other_len == *len && memcmp(other, *name, *len) == 0)
            return false;
    return true;
}

int border_target(struct target *t, const char *dir, size_t dir_len, const char *name, size_t len)
{
    char path[PATH_MAX + 1];
    size_t stem = dir_len == 1 ? 0 : dir_len;
    if (stem + 1 + len > PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(path, dir, stem);
    path[stem] = '/';
    memcpy(path + stem + 1, name, len);
    path[stem + 1 + len] = '\0';
    const struct mapping *m = map_find(&state.map, path, stem + 1 + len);
    return m ? target_set(t, m, path, stem + 1 + len) : target_set_bare(t, path, stem + 1 + len);
}
