#include "agent/shards.h"

#include <stdio.h>
#include <uthash.h>

#include "agent/here.h"
#include "agent/hints.h"
#include "agent/shard_index.h"
#include "agent/transfer.h"
#include "common/alloc.h"
#include "common/cleanup.h"

#define SETS_MAX 64

/* The latest model of a directory that was opened by a context: by its index, or by its first file,
 * of which the name tells the others. */
struct shard_set {
    UT_hash_handle hh;
    struct version opened;     /* that index, or that file */
    struct shard_index *index; /* NULL: its bytes were not here yet */
    size_t stopped_at;         /* the first of them that was missed */
    bool believed;             /* an index says so, or a second file was opened, too */
    size_t asked;              /* none before it is looked up any more */
    size_t begun;              /* the latest that was begun for a run */
    size_t id_len;
    char id[]; /* the table's key */
};

static struct shard_set *sets; /* the oldest first */

/* --- sets --------------------------------------------------------------------------------- */

static size_t directory_len(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? (size_t)(slash - key) + 1 : 0;
}

#define ID_BYTES (sizeof(((struct version *)0)->bucket) + WIRE_KEY_MAX + 32)

static size_t make_id(const struct context *context, const char *bucket, const char *key,
                      char out[ID_BYTES])
{
    return (size_t)snprintf(out, ID_BYTES, "%llu %s/%.*s",
                            (unsigned long long)context_serial(context), bucket,
                            (int)directory_len(key), key);
}

static struct shard_set *find(const struct context *context, const char *bucket, const char *key)
{
    char id[ID_BYTES];
    size_t id_len = make_id(context, bucket, key, id);
    struct shard_set *s;
    HASH_FIND(hh, sets, id, id_len, s);
    return s;
}

static void drop(struct shard_set *s)
{
    HASH_DEL(sets, s);
    shard_index_free(s->index);
    free(s);
}

static struct shard_set *make(const struct context *context, const struct version *v)
{
    char id[ID_BYTES];
    size_t id_len = make_id(context, v->bucket, v->key, id);
    if (HASH_COUNT(sets) >= SETS_MAX)
        drop(sets);
    struct shard_set *s = must_calloc(1, sizeof(*s) + id_len);
    s->opened = *v;
    s->stopped_at = v->size_bytes > 0 ? v->size_bytes - 1 : 0;
    s->id_len = id_len;
    memcpy(s->id, id, id_len);
    HASH_ADD_KEYPTR(hh, sets, s->id, s->id_len, s);
    return s;
}

/* --- what is opened ----------------------------------------------------------------------- */

static void on_failed(struct context *context, const struct lookup_name *name)
{
    struct shard_set *s = find(context, name->bucket, name->key);
    if (s)
        drop(s);
}

/* Looks up those from `first` on that were not yet, and SHARDS_AHEAD at most. May drop the set. */
static void look_up(struct shard_set *s, const struct guess_order *opened, size_t first)
{
    struct lookup_name name = *opened->name;
    size_t prefix_len = directory_len(name.key);
    struct guess_order order = *opened;
    size_t from = s->asked > first ? s->asked : first;
    size_t stop = s->index->n - first > SHARDS_AHEAD ? first + SHARDS_AHEAD : s->index->n;
    if (from >= stop)
        return;
    s->asked = stop;
    order.name = &name;
    order.failed = on_failed;
    for (size_t i = from; i < stop && find(opened->context, name.bucket, name.key) == s; i++) {
        snprintf(name.key + prefix_len, sizeof(name.key) - prefix_len, "%s", s->index->names[i]);
        guess_start(&order);
    }
}

/* Its bytes came with its open, where nodes don't share; else they are here once it was read. */
static void read_index(struct shard_set *s, const struct guess_order *opened)
{
    size_t len = (size_t)s->opened.size_bytes;
    char missed;
    if (s->index || here_read(opened->agent, &s->opened, s->stopped_at, &missed, 1) < 1)
        return;
    CLEANUP_FREE char *text = must(malloc(len));
    s->stopped_at = here_read(opened->agent, &s->opened, 0, text, len);
    if (s->stopped_at < len)
        return;
    s->index = shard_index_parse(text, len);
    s->believed = true;
    if (s->index)
        look_up(s, opened, 0);
    else
        drop(s);
}

static void index_opened(struct shard_set *s, const struct guess_order *opened,
                         const struct version *v)
{
    bool same = s && memcmp(&s->opened.id, &v->id, sizeof(v->id)) == 0;
    if (same && s->index) { /* for another pass */
        s->asked = s->begun = 0;
        look_up(s, opened, 0);
        return;
    }
    if (s)
        drop(s);
    if (v->size_bytes > 0 && v->size_bytes <= SHARD_INDEX_BYTES_MOST)
        read_index(make(opened->context, v), opened);
}

static void first_opened(struct shard_set *s, const struct guess_order *opened,
                         const struct version *v)
{
    struct shard_index *index = shard_index_of_first(v->key + directory_len(v->key));
    if (!index)
        return;
    if (s)
        drop(s);
    s = make(opened->context, v);
    s->index = index;
    look_up(s, opened, 1);
}

void shards_file_opened(const struct guess_order *opened, const struct version *v)
{
    struct shard_set *s = find(opened->context, v->bucket, v->key);
    if (opened->ttl_ms <= 0)
        return; /* what comes ahead would not be trusted at the open */
    if (shard_index_is_name(v->key)) {
        index_opened(s, opened, v);
        return;
    }
    if (s && !s->index)
        read_index(s, opened); /* may drop it */
    s = find(opened->context, v->bucket, v->key);
    if (s && !s->index)
        return;
    size_t i = s ? shard_index_find(s->index, v->key + directory_len(v->key)) : 0;
    if (!s || i == s->index->n) {
        first_opened(s, opened, v);
    } else {
        if (memcmp(&s->opened.id, &v->id, sizeof(v->id)) == 0)
            s->asked = s->begun = 0; /* for another pass */
        s->believed |= i > 0;
        look_up(s, opened, i + 1);
    }
}

/* --- what is read ------------------------------------------------------------------------- */

/* False: it is not known, or S3 has not let this context read it. */
static bool next_version(struct agent *a, const struct version *v, struct context *context,
                         const char *next, struct version *out)
{
    struct lookup_name name = {.style = v->style};
    int error;
    char why[384];
    snprintf(name.bucket, sizeof(name.bucket), "%s", v->bucket);
    snprintf(name.key, sizeof(name.key), "%.*s%s", (int)directory_len(v->key), v->key, next);
    const struct meta *m = meta_find(context_serial(context), name.bucket, name.key);
    struct s3_context *s3 = context_s3(context, name.style, &error, why, sizeof(why));
    if (!s3 || !m || m->kind != META_FILE || m->readable_ms == 0 || m->size_bytes == 0)
        return false;
    lookup_version(s3, &name, m, a->block_bytes, out);
    return true;
}

void shards_run_ends(struct agent *a, const struct version *v, struct context *context,
                     struct job *job)
{
    struct shard_set *s = find(context, v->bucket, v->key);
    struct version next;
    if (!s || !s->index || !s->believed)
        return;
    size_t i = shard_index_find(s->index, v->key + directory_len(v->key)) + 1;
    if (i >= s->index->n || s->begun == i ||
        !next_version(a, v, context, s->index->names[i], &next))
        return;
    s->begun = i;
    hints_add(a, &next, (struct hint_range){0, transfer_window_bytes()}, context, job);
}
