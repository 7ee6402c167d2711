#include "agent/lookup_known.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"

/* Is what is remembered fresh enough to answer? */
static bool suffices(const struct lookup_request *q, const struct meta *m)
{
    int64_t now = clock_monotonic_ms();
    if (!m || !meta_fresh(m->learned_ms, q->ttl_ms, now))
        return false;
    return m->kind != META_FILE || q->how != LOOKUP_OPEN ||
           meta_fresh(m->readable_ms, q->ttl_ms, now);
}

bool lookup_answer_known(const struct lookup_request *q, const struct meta *m,
                         struct lookup_waiter *w)
{
    if (!suffices(q, m))
        return false;
    struct lookup_result r = {.why = "", .meta = *m, .block_fd = -1};
    if (m->kind == META_NONE)
        r.error = m->not_below_file ? -ENOENT : -ENOTDIR;
    w->wake(w, &r);
    return true;
}

bool lookup_is_known(const struct lookup_request *q)
{
    return suffices(q, meta_find(context_serial(q->context), q->name->bucket, q->name->key));
}

uint32_t lookup_fresh_ms(struct context *context, const struct lookup_name *name, int64_t ttl_ms)
{
    const struct meta *m = meta_find(context_serial(context), name->bucket, name->key);
    if (!m || m->kind != META_FILE || m->readable_ms <= 0)
        return 0;
    int64_t since = m->readable_ms < m->learned_ms ? m->readable_ms : m->learned_ms;
    int64_t left = since + ttl_ms - clock_monotonic_ms();
    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (uint32_t)left;
}

void lookup_version(struct s3_context *s3, const struct lookup_name *name, const struct meta *m,
                    uint32_t block_bytes, struct version *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->bucket, name->bucket, sizeof(out->bucket));
    memcpy(out->key, name->key, sizeof(out->key));
    memcpy(out->etag, m->etag, sizeof(out->etag));
    out->style = name->style;
    out->size_bytes = m->size_bytes;
    out->block_bytes = block_bytes;
    version_name(out, s3_context_endpoint(s3));
}

/* --- what is above a name -------------------------------------------------------- */

/* "a/b/c" → "a/b"; false where the name has no parent in the bucket. */
static bool parent_of(const char *key, char *out)
{
    const char *slash = strrchr(key, '/');
    if (!slash || slash == key)
        return false;
    memcpy(out, key, (size_t)(slash - key));
    out[slash - key] = '\0';
    return true;
}

/* Is an object known of which this would be a name below? Only what memory knows: S3 is asked about
 * the parent and no further. */
static bool is_below_known_file(struct context *context, const char *bucket, const char *parent)
{
    char above[LOOKUP_PARENT_MAX];
    strcpy(above, parent);
    for (char *end = above + strlen(above); end && end > above; end = strrchr(above, '/')) {
        *end = '\0';
        const struct meta *m = meta_find(context_serial(context), bucket, above);
        if (m && m->kind == META_FILE)
            return true;
    }
    return false;
}

bool lookup_parent_known(struct context *context, const struct lookup_name *name,
                         char parent[LOOKUP_PARENT_MAX], bool *is_file)
{
    if (!parent_of(name->key, parent))
        return *is_file = false, true;
    const struct meta *m = meta_find(context_serial(context), name->bucket, parent);
    bool known = m && (m->kind != META_NONE || m->not_below_file);
    *is_file = is_below_known_file(context, name->bucket, parent); /* `m` is gone after that */
    return *is_file || known;
}
