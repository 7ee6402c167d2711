#include "agent/store/shard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/internal.h"
#include "common/alloc.h"
#include "common/cleanup.h"

void shard_clear(struct shard *l)
{
    free(l->candidates);
    free(l->names);
}

static void add(struct shard *l, const char *name, const struct stat *st)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 256;
        l->candidates = must(reallocarray(l->candidates, l->room, sizeof(*l->candidates)));
        l->names = must(reallocarray(l->names, l->room, sizeof(*l->names)));
    }
    memcpy(l->names[l->n], name, strlen(name) + 1); /* shard_list() looked at its length */
    l->candidates[l->n] = (struct evict_candidate){.last_used_s = st->st_atim.tv_sec,
                                                   .changed_s = st->st_ctim.tv_sec,
                                                   .bytes = (uint64_t)st->st_blocks * 512,
                                                   .ref = (uint32_t)l->n};
    l->n++;
}

int shard_open(struct store *s, int shard)
{
    char name[16];
    snprintf(name, sizeof(name), "blocks/%02x", shard & (STORE_SHARDS - 1));
    return openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool shard_list(int shard_fd, struct shard *l)
{
    int fd = openat(shard_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_CLOSEDIR DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return false;
    struct stat st;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && strlen(e->d_name) < sizeof(l->names[0]) &&
            fstatat(shard_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            add(l, e->d_name, &st);
    return true;
}

static unsigned hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10) & 15;
}

/* "<version>-<index>" */
bool shard_read_name(const char *name, struct store_place *out)
{
    size_t bytes = sizeof(out->version.bytes);
    if (strspn(name, "0123456789abcdef") != 2 * bytes || name[2 * bytes] != '-')
        return false;
    for (size_t i = 0; i < bytes; i++)
        out->version.bytes[i] = (uint8_t)(hex(name[2 * i]) << 4 | hex(name[2 * i + 1]));
    out->index = strtoull(name + 2 * bytes + 1, NULL, 16);
    return true;
}
