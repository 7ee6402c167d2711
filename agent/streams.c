#include "agent/streams.h"

#include <uthash.h>

#include "common/alloc.h"

#define STREAMS_MAX 1024

struct stream_id {
    struct version_id version;
    struct job *job;
};

struct stream {
    UT_hash_handle hh;
    struct stream_id id; /* the table's key */
    struct prefetch_stream cursors;
};

static struct stream *streams; /* the oldest first */

struct prefetch_stream *stream_get(const struct version_id *version, struct job *job)
{
    struct stream_id id;
    struct stream *s;
    memset(&id, 0, sizeof(id));
    id.version = *version;
    id.job = job;
    HASH_FIND(hh, streams, &id, sizeof(id), s);
    if (s)
        return &s->cursors;
    if (HASH_COUNT(streams) >= STREAMS_MAX) {
        struct stream *oldest = streams;
        HASH_DEL(streams, oldest);
        free(oldest);
    }
    s = must_calloc(1, sizeof(*s));
    s->id = id;
    HASH_ADD(hh, streams, id, sizeof(s->id), s);
    return &s->cursors;
}
