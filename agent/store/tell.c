#include "agent/store/tell.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store/internal.h"
#include "agent/store/shard.h"
#include "common/cleanup.h"

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* That somebody looked doesn't make it used. */
static uint64_t blocks_of_version(int shard_fd, const char *name)
{
    CLEANUP_CLOSE int fd = openat(shard_fd, name, O_RDONLY | O_NOATIME | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? 0 : block_file_blocks(fd);
}

/* All blocks of a version lie in one shard. */
static void tell(struct store *s, struct store_tell *t, int shard_fd, const struct shard *l)
{
    struct store_place place, last = {.index = 0};
    uint64_t blocks = 0;
    for (size_t i = 0; i < l->n && !store_is_closing(s); i++) {
        const char *name = l->names[i];
        if (strcmp(name, t->next) < 0 || !shard_read_name(name, &place))
            continue;
        if (blocks == 0 || memcmp(&place.version, &last.version, sizeof(last.version)) != 0)
            blocks = blocks_of_version(shard_fd, name);
        last = place;
        if (blocks <= place.index || store_tell_found(s, &place, blocks))
            continue;
        memcpy(t->next, name, sizeof(t->next));
        t->waits = true;
        return;
    }
}

void store_tell_shard(struct store *s, struct store_tell *t)
{
    struct shard l = {0};
    CLEANUP_CLOSE int fd = shard_open(s, t->shard);
    if (fd >= 0)
        shard_list(fd, &l);
    if (l.n > 0)
        qsort(l.names, l.n, sizeof(l.names[0]), compare_names);
    tell(s, t, fd, &l);
    shard_clear(&l);
    if (t->waits)
        return;
    t->shard++;
    t->next[0] = '\0';
}

void store_tell_all_soon(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->want_told = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
}

void store_tell_more_soon(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->may_tell = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
}
