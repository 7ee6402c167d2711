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
bool store_tell_shard(struct store *s, int shard)
{
    struct shard l = {0};
    struct store_place place, last = {.index = 0};
    uint64_t blocks = 0;
    bool goes_on = true;
    CLEANUP_CLOSE int fd = shard_open(s, shard);
    if (fd < 0)
        return true;
    shard_list(fd, &l);
    if (l.n > 0)
        qsort(l.names, l.n, sizeof(l.names[0]), compare_names);
    for (size_t i = 0; i < l.n && goes_on && !store_is_closing(s); i++) {
        if (!shard_read_name(l.names[i], &place))
            continue;
        if (blocks == 0 || memcmp(&place.version, &last.version, sizeof(last.version)) != 0)
            blocks = blocks_of_version(fd, l.names[i]);
        last = place;
        if (blocks > place.index)
            goes_on = store_tell_found(s, &place, blocks);
    }
    shard_clear(&l);
    return goes_on;
}

void store_tell_all_soon(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->want_told = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
}
