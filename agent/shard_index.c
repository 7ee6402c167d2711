#include "agent/shard_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

bool shard_index_is_name(const char *key)
{
    static const char ending[] = ".index.json";
    size_t len = strlen(key);
    return len >= sizeof(ending) && strcmp(key + len - (sizeof(ending) - 1), ending) == 0;
}

/* --- names that were met -------------------------------------------------------------- */

#define SEEN_SLOTS 256
#define SORTS_MOST 64 /* of 4,096 names: some 200,000 that were none of the latest */

/* A piece of the text. */
struct piece {
    const char *at;
    size_t len;
};

struct names {
    size_t n, room;
    unsigned sorts;
    struct piece *all;
    /* The latest of each hash: thousands of tensors in a row lie in the same few files. */
    struct piece seen[SEEN_SLOTS];
};

static int by_piece(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Sorts them and drops what is there twice. */
static void make_unique(struct names *names)
{
    size_t kept = 0;
    qsort(names->all, names->n, sizeof(*names->all), by_piece);
    for (size_t i = 0; i < names->n; i++)
        if (kept == 0 || by_piece(&names->all[kept - 1], &names->all[i]) != 0)
            names->all[kept++] = names->all[i];
    names->n = kept;
}

/* False: they are too many, or it takes too long. */
static bool add(struct names *names, struct piece name)
{
    unsigned hash = 0;
    for (size_t i = 0; i < name.len; i++)
        hash = hash * 31 + (unsigned char)name.at[i];
    struct piece *seen = &names->seen[(hash ^ hash >> 8) % SEEN_SLOTS];
    if (seen->at && by_piece(seen, &name) == 0)
        return true;
    *seen = name;
    if (names->n == names->room) {
        make_unique(names);
        if (names->n > SHARD_INDEX_MOST || ++names->sorts > SORTS_MOST)
            return false;
    }
    names->all[names->n++] = name;
    return true;
}

static struct shard_index *take_names(struct names *names)
{
    make_unique(names);
    if (names->n == 0 || names->n > SHARD_INDEX_MOST)
        return NULL;
    struct shard_index *x = must_calloc(1, sizeof(*x) + names->n * sizeof(x->names[0]));
    for (; x->n < names->n; x->n++)
        x->names[x->n] = must_strndup(names->all[x->n].at, names->all[x->n].len);
    return x;
}

/* --- the text: as much of JSON as it takes to find the names ------------------------------ */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, char wanted)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* As it stands there, escapes and all. */
static bool take_string(struct cursor *c, struct piece *out)
{
    if (!take(c, '"'))
        return false;
    out->at = c->at;
    while (c->at < c->end && *c->at != '"')
        c->at += *c->at == '\\' && c->end - c->at > 1 ? 2 : 1;
    out->len = (size_t)(c->at - out->at);
    return take(c, '"');
}

/* A number, true, or what else stands there: at least one character. */
static void skip_word(struct cursor *c)
{
    static const char ends[] = {',', ':', '{', '}', '[', ']', '"', ' ', '\n', '\r', '\t'};
    do
        c->at++;
    while (c->at < c->end && !memchr(ends, *c->at, sizeof(ends)));
}

static bool skip_value(struct cursor *c)
{
    struct piece ignored;
    int depth = 0;
    do {
        if (take(c, '{') || take(c, '[')) {
            depth++;
        } else if (take(c, '}') || take(c, ']')) {
            if (--depth < 0)
                return false;
        } else if (c->at < c->end && *c->at == '"') {
            if (!take_string(c, &ignored))
                return false;
        } else if (c->at == c->end) {
            return false;
        } else if (!take(c, ',') && !take(c, ':')) {
            skip_word(c);
        }
    } while (depth > 0);
    return true;
}

static bool is_name_of_file(struct piece name)
{
    return name.len > 0 && name.len <= SHARD_NAME_BYTES_MOST && !memchr(name.at, '/', name.len) &&
           !memchr(name.at, '\\', name.len) && !memchr(name.at, '\0', name.len) &&
           !(name.at[0] == '.' && (name.len == 1 || (name.len == 2 && name.at[1] == '.')));
}

static bool take_map(struct cursor *c, struct names *names)
{
    struct piece tensor, name;
    if (!take(c, '{'))
        return false;
    do {
        if (!take_string(c, &tensor) || !take(c, ':') || !take_string(c, &name) ||
            !is_name_of_file(name) || !add(names, name))
            return false;
    } while (take(c, ','));
    return take(c, '}');
}

static bool take_index(struct cursor *c, struct names *names)
{
    static const char weight_map[] = "weight_map";
    struct piece key;
    if (!take(c, '{'))
        return false;
    do {
        if (!take_string(c, &key) || !take(c, ':'))
            return false;
        bool found = key.len == sizeof(weight_map) - 1 && memcmp(key.at, weight_map, key.len) == 0;
        if (!(found ? take_map(c, names) : skip_value(c)))
            return false;
    } while (take(c, ','));
    return take(c, '}');
}

struct shard_index *shard_index_parse(const char *text, size_t len)
{
    struct cursor c = {text, text + len};
    struct names names = {.room = 4 * SHARD_INDEX_MOST};
    if (len > SHARD_INDEX_BYTES_MOST)
        return NULL;
    names.all = must_calloc(names.room, sizeof(*names.all));
    struct shard_index *x = take_index(&c, &names) ? take_names(&names) : NULL;
    free(names.all);
    return x;
}

/* --- names of one form -------------------------------------------------------------------- */

#define FIRST "-00001-of-"

static bool is_ending_of_shard(const char *ending)
{
    return strcmp(ending, ".gguf") == 0 || strcmp(ending, ".safetensors") == 0 ||
           strcmp(ending, ".bin") == 0;
}

struct shard_index *shard_index_of_first(const char *name)
{
    const char *form = strstr(name, FIRST), *of = form ? form + strlen(FIRST) : NULL;
    if (!form || strlen(name) > SHARD_NAME_BYTES_MOST || strspn(of, "0123456789") != 5 ||
        !is_ending_of_shard(of + 5))
        return NULL;
    unsigned long n = strtoul(of, NULL, 10);
    if (n < 2 || n > SHARD_INDEX_MOST)
        return NULL;
    struct shard_index *x = must_calloc(1, sizeof(*x) + n * sizeof(x->names[0]));
    for (; x->n < n; x->n++)
        x->names[x->n] =
            must_printf("%.*s-%05u-of-%s", (int)(form - name), name, (unsigned)x->n + 1, of);
    return x;
}

void shard_index_free(struct shard_index *x)
{
    for (size_t i = 0; x && i < x->n; i++)
        free(x->names[i]);
    free(x);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t shard_index_find(const struct shard_index *x, const char *name)
{
    char **found = bsearch(&name, x->names, x->n, sizeof(x->names[0]), by_text);
    return found ? (size_t)(found - x->names) : x->n;
}
