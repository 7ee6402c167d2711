#include "preload/lookup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "preload/client.h"
#include "preload/statfill.h"

int lookup_missing(const struct target *t)
{
    struct target above;
    struct stat st = {0};
    for (size_t from = t->mapping->prefix_len + 1; from < t->path_len;) {
        size_t len = strcspn(t->path + from, "/");
        if (len > NAME_MAX) {
            int r = target_set(&above, t->mapping, t->path, from - 1);
            r = r < 0 ? r : lookup_stat(&above, &st);
            return r < 0 ? r : S_ISDIR(st.st_mode) ? -ENAMETOOLONG : -ENOTDIR;
        }
        from += len + 1;
    }
    return -ENOENT;
}

int lookup_stat(const struct target *t, struct stat *st)
{
    struct client_call c;
    if (t->bare) {
        statfill(st, t, WIRE_DIR, 0, 0);
        return 0;
    }
    state_count(COUNTER_stats, 1);
    client_begin(&c, WIRE_STAT);
    client_put_name(&c, t->mapping, t->key, t->key_len);
    int r = client_call(&c, t->path, NULL, 0);
    if (r < 0)
        return r == -ENOENT ? lookup_missing(t) : r;
    uint8_t kind = wire_get_u8(&c.in);
    uint64_t size = wire_get_u64(&c.in);
    int64_t mtime = (int64_t)wire_get_u64(&c.in);
    if (c.in.bad)
        return -EIO;
    if (t->must_be_dir && kind != WIRE_DIR)
        return -ENOTDIR;
    statfill(st, t, kind, size, mtime);
    return 0;
}

int lookup_access(const struct target *t, int mode)
{
    struct stat st;
    if (mode & ~(R_OK | W_OK | X_OK))
        return -EINVAL;
    int r = lookup_stat(t, &st);
    if (r < 0)
        return r;
    if (mode & W_OK)
        return -EROFS;
    return 0;
}

int lookup_directory(const struct target *t)
{
    struct stat st = {0};
    int r = lookup_stat(t, &st);
    if (r < 0)
        return r;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int lookup_climbs(int at, const char *path)
{
    char part[PATH_MAX + 1];
    struct target t;
    for (const char *up = strstr(path, "/.."); up; up = strstr(up + 1, "/..")) {
        size_t len = (size_t)(up - path);
        if ((up[3] != '/' && up[3] != '\0') || len == 0 || len > PATH_MAX)
            continue;
        memcpy(part, path, len);
        part[len] = '\0';
        const char *before = part;
        int r = target_find(at, &before, &t);
        if (r > 0)
            r = lookup_directory(&t);
        if (r < 0)
            return r;
    }
    return 0;
}
