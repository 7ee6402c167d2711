#include "agent/layouts.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uthash.h>

#include "agent/alloc.h"
#include "agent/blocks.h"
#include "common/cleanup.h"

struct known {
    UT_hash_handle hh;
    struct version_id id;  /* the table's key */
    struct layout *layout; /* NULL: it has none */
};

static struct known *table; /* the oldest first */

static struct known *remember(const struct version_id *id, struct layout *layout)
{
    if (HASH_COUNT(table) >= LAYOUTS_MAX) {
        struct known *oldest = table;
        HASH_DEL(table, oldest);
        free(oldest->layout);
        free(oldest);
    }
    struct known *k = must_calloc(1, sizeof(*k));
    k->id = *id;
    k->layout = layout;
    HASH_ADD(hh, table, id, sizeof(k->id), k);
    return k;
}

/* The beginning of the first block, as far as it is here. -ENOENT, -errno. */
static int beginning(struct agent *a, const struct version *v, size_t *here_bytes)
{
    struct span ready = {0, version_block_len(v, 0)};
    int fd = store_get(a->store, v, 0);
    if (fd < 0)
        fd = blocks_peek(v, 0, &ready);
    *here_bytes = ready.from == 0 ? ready.to : 0;
    return fd;
}

/* Only what is in memory: nothing here may wait for the disk. */
static bool read_now(int fd, void *data, size_t len)
{
    struct iovec room = {data, len};
    ssize_t got = preadv2(fd, &room, 1, 0, RWF_NOWAIT);
    if (got < 0 && errno != EAGAIN) /* the file system can't say: it is one in memory */
        got = pread(fd, data, len, 0);
    return got == (ssize_t)len;
}

/* False: that can't be told yet. */
static bool find_layout(struct agent *a, const struct version *v, struct layout **layout)
{
    unsigned char first[8];
    size_t here_bytes;
    CLEANUP_CLOSE int fd = beginning(a, v, &here_bytes);
    if (fd < 0 || here_bytes < sizeof(first) || !read_now(fd, first, sizeof(first)))
        return false;
    size_t len = layout_header_bytes(first, v->size_bytes);
    *layout = NULL;
    if (len == 0)
        return true;
    CLEANUP_FREE void *header = must_calloc(1, len);
    if (here_bytes < len || !read_now(fd, header, len))
        return false;
    *layout = layout_parse(header, len, v->size_bytes);
    return true;
}

struct layout_part layouts_part(struct agent *a, const struct version *v, uint64_t at)
{
    static const struct layout_part none;
    struct known *k;
    if (version_blocks(v) == 1 || !layout_is_known_name(v->key))
        return none;
    HASH_FIND(hh, table, &v->id, sizeof(v->id), k);
    struct layout *layout;
    if (!k && find_layout(a, v, &layout))
        k = remember(&v->id, layout);
    return k && k->layout ? layout_find(k->layout, at) : none;
}
