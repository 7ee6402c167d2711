#include "agent/siblings.h"

#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

#include "agent/directory.h"
#include "agent/sibling_list.h"
#include "common/alloc.h"
#include "common/clock.h"

#define FAMILIES_MAX   1024
#define NAMES_MAX      200000 /* of all families */
#define NAME_BYTES_MAX 256    /* no file system has longer ones */
#define STRANGERS      8
/* A directory that nobody listed is learned from so many opens on. */
#define LEARN_IN_ORDER 3
#define LEARN_ANYHOW   16

/* A directory whose files are opened. */
struct family {
    UT_hash_handle hh;
    struct family *prev, *next; /* the least recently used first */
    struct directory names;
    uint64_t n_counted; /* of siblings.unused */
    int64_t since_ms;   /* what it knows of opens is as old as that */
    char *token;        /* brings the page behind the names; NULL: there is none */
    bool learning;      /* a list request is under way */
    bool quiet;         /* S3 failed: no guesses until it is renewed */
    /* The latest opens of names that aren't known, the last one last. */
    char *strangers[STRANGERS];
    unsigned n_strangers; /* seen */
    unsigned n_ascending; /* the last so many came in order */
    size_t id_len;
    char id[]; /* the table's key */
};

static struct family *families, *by_use;
static size_t n_names;

/* --- families' lives ------------------------------------------------------------------ */

static size_t make_id(const struct context *context, const char *bucket, const char *key,
                      size_t prefix_len, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%llu %s/%.*s", (unsigned long long)context_serial(context),
                            bucket, (int)prefix_len, key);
}

static void forget_strangers(struct family *f)
{
    for (int i = 0; i < STRANGERS; i++) {
        free(f->strangers[i]);
        f->strangers[i] = NULL;
    }
    f->n_strangers = f->n_ascending = 0;
}

static void forget_names(struct family *f)
{
    n_names -= f->names.siblings.n;
    directory_clear(&f->names);
    f->n_counted = 0;
    free(f->token);
    f->token = NULL;
}

static void drop(struct family *f)
{
    HASH_DEL(families, f);
    DL_DELETE(by_use, f);
    forget_names(f);
    forget_strangers(f);
    free(f);
}

static void use(struct family *f)
{
    DL_DELETE(by_use, f);
    DL_APPEND(by_use, f);
}

static struct family *get(const struct context *context, const char *bucket, const char *key,
                          size_t prefix_len, bool make)
{
    char id[sizeof(((struct lookup_name *)0)->bucket) + WIRE_KEY_MAX + 32];
    size_t id_len = make_id(context, bucket, key, prefix_len, id, sizeof(id));
    struct family *f;
    HASH_FIND(hh, families, id, id_len, f);
    if (f)
        use(f);
    if (f || !make)
        return f;
    f = must_calloc(1, sizeof(*f) + id_len);
    f->since_ms = clock_monotonic_ms();
    f->id_len = id_len;
    memcpy(f->id, id, id_len);
    HASH_ADD_KEYPTR(hh, families, f->id, f->id_len, f);
    DL_APPEND(by_use, f);
    if (HASH_COUNT(families) > FAMILIES_MAX)
        drop(by_use);
    return f;
}

static size_t prefix_len_of(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? (size_t)(slash - key) + 1 : 0;
}

/* --- guesses --------------------------------------------------------------------------- */

static void count_unused(struct family *f, struct job *job)
{
    uint64_t unused = f->names.siblings.unused;
    job_count(job, COUNTER_ahead_unused_files, unused - f->n_counted);
    f->n_counted = unused;
}

static void on_failed(struct context *context, const struct lookup_name *name)
{
    size_t prefix_len = prefix_len_of(name->key);
    struct family *f = get(context, name->bucket, name->key, prefix_len, false);
    char prefix[WIRE_KEY_MAX + 1];
    if (!f || f->quiet)
        return;
    f->quiet = true;
    snprintf(prefix, sizeof(prefix), "%.*s", (int)prefix_len, name->key);
    guess_drop(context, name->bucket, prefix);
}

/* Books the open of a known name, and starts what the policy picks. */
static void go_on(struct family *f, const struct guess_order *opened, uint32_t i)
{
    uint32_t picks[SIBLINGS_PICKS];
    struct lookup_name name = *opened->name;
    size_t prefix_len = prefix_len_of(name.key);
    struct guess_order order = *opened;
    directory_order(&f->names);
    uint32_t n = siblings_opened(&f->names.siblings, i, picks);
    count_unused(f, opened->job);
    order.name = &name;
    order.failed = on_failed;
    for (uint32_t k = 0; k < n && !f->quiet; k++) {
        snprintf(name.key + prefix_len, sizeof(name.key) - prefix_len, "%s",
                 directory_name(&f->names, picks[k]));
        guess_start(&order);
    }
}

/* --- learning names -------------------------------------------------------------------- */

/* Opens that came before the names were known, as if they came now. */
static void replay(struct family *f, const struct guess_order *order)
{
    struct lookup_name name = *order->name;
    struct guess_order opened = *order;
    char *strangers[STRANGERS];
    opened.name = &name;
    memcpy(strangers, f->strangers, sizeof(strangers));
    memset(f->strangers, 0, sizeof(f->strangers));
    forget_strangers(f);
    for (int i = 0; i < STRANGERS; i++) {
        int64_t place = strangers[i] ? directory_find(&f->names, strangers[i]) : -1;
        if (place >= 0)
            go_on(f, &opened, (uint32_t)place);
        free(strangers[i]);
    }
}

static void on_learned(const struct guess_order *order, bool fine)
{
    const struct lookup_name *name = order->name;
    struct family *f = get(order->context, name->bucket, name->key, strlen(name->key), false);
    if (!f)
        return;
    f->learning = false;
    f->quiet |= !fine;
    if (fine)
        replay(f, order);
}

static void learn(struct family *f, const struct guess_order *opened, const char *start_after,
                  const char *token)
{
    struct lookup_name prefix = *opened->name;
    struct guess_order order = *opened;
    if (f->learning || f->quiet)
        return;
    f->learning = true;
    prefix.key[prefix_len_of(prefix.key)] = '\0';
    order.name = &prefix;
    sibling_list_start(&order, start_after, token, on_learned);
}

/* A name that isn't known was opened. */
static void meet(struct family *f, const struct guess_order *opened, const char *name)
{
    char **last = &f->strangers[STRANGERS - 1], after[WIRE_KEY_MAX + 1];
    bool ascends = *last && strverscmp(*last, name) < 0;
    f->n_strangers++;
    f->n_ascending = ascends ? f->n_ascending + 1 : 1;
    free(f->strangers[0]);
    memmove(&f->strangers[0], &f->strangers[1], sizeof(f->strangers) - sizeof(f->strangers[0]));
    *last = must_strndup(name, strlen(name));
    if (f->n_ascending >= LEARN_IN_ORDER) {
        const char *first = f->strangers[STRANGERS - LEARN_IN_ORDER];
        snprintf(after, sizeof(after), "%.*s%s", (int)prefix_len_of(opened->name->key),
                 opened->name->key, first);
        /* Numbers without leading zeros do not come in the listing's order: from its beginning. */
        learn(f, opened, strcmp(first, name) < 0 && strlen(first) == strlen(name) ? after : NULL,
              NULL);
    } else if (f->n_strangers >= LEARN_ANYHOW && (f->names.siblings.n == 0 || f->token)) {
        learn(f, opened, NULL, f->token);
    }
}

struct family *siblings_page(const struct context *context, const struct lookup_name *prefix,
                             const char *token, const char *next_token)
{
    struct family *f =
        get(context, prefix->bucket, prefix->key, strlen(prefix->key), token[0] == '\0');
    if (!f || (token[0] && (!f->token || strcmp(f->token, token) != 0)))
        return NULL;
    if (!token[0]) {
        forget_names(f);
        f->since_ms = clock_monotonic_ms();
        f->quiet = false;
    }
    free(f->token);
    f->token = next_token ? must_strndup(next_token, strlen(next_token)) : NULL;
    return f;
}

void siblings_add(struct family *f, const char *name, uint64_t size_bytes)
{
    uint32_t before = f->names.siblings.n;
    if (strlen(name) >= NAME_BYTES_MAX)
        return;
    directory_add(&f->names, name,
                  size_bytes < LOOKUP_BEGINNING ? (uint32_t)size_bytes : LOOKUP_BEGINNING);
    n_names += f->names.siblings.n - before;
    while (n_names > NAMES_MAX && by_use != f)
        drop(by_use);
}

/* --- opens ------------------------------------------------------------------------------ */

static void renew(struct family *f, const struct guess_order *opened)
{
    int64_t now_ms = clock_monotonic_ms();
    if (meta_fresh(f->since_ms, opened->ttl_ms, now_ms))
        return;
    if (f->names.siblings.n)
        siblings_renew(&f->names.siblings);
    count_unused(f, opened->job);
    f->since_ms = now_ms;
    f->quiet = false;
}

void siblings_file_opened(const struct guess_order *opened, bool asked)
{
    const char *key = opened->name->key;
    size_t prefix_len = prefix_len_of(key);
    if (opened->ttl_ms <= 0 || strlen(key + prefix_len) >= NAME_BYTES_MAX)
        return; /* what comes ahead would not be trusted at the open */
    struct family *f = get(opened->context, opened->name->bucket, key, prefix_len, true);
    renew(f, opened);
    int64_t i = directory_find(&f->names, key + prefix_len);
    if (i >= 0) {
        go_on(f, opened, (uint32_t)i);
        if (f->token && siblings_near_end(&f->names.siblings))
            learn(f, opened, NULL, f->token);
    } else if (asked) {
        meet(f, opened, key + prefix_len);
    }
}
