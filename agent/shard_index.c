#include "agent/shard_index.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/alloc.h"

bool shard_index_is_name(const char *key)
{
    static const char ending[] = ".index.json";
    size_t len = strlen(key);
    return len >= sizeof(ending) && strcmp(key + len - (sizeof(ending) - 1), ending) == 0;
}

static bool is_name_of_file(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= SHARD_NAME_BYTES_MOST && !strchr(name, '/') &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts them and drops what is there twice; how many are left. */
static size_t make_unique(const char **names, size_t n)
{
    size_t kept = 0;
    qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    return kept;
}

static struct shard_index *take_names(json_t *weights)
{
    size_t n = 0, most = json_object_size(weights);
    const char **names = must_calloc(most + 1, sizeof(*names)), *tensor;
    struct shard_index *x = NULL;
    json_t *name;
    json_object_foreach(weights, tensor, name)
    {
        const char *text = json_string_value(name);
        if (!text || !is_name_of_file(text))
            break;
        names[n++] = text;
    }
    bool fine = n > 0 && n == most && (n = make_unique(names, n)) <= SHARD_INDEX_MOST;
    if (fine) {
        x = must_calloc(1, sizeof(*x) + n * sizeof(x->names[0]));
        for (x->n = 0; x->n < n; x->n++)
            x->names[x->n] = must_strndup(names[x->n], SHARD_NAME_BYTES_MOST);
    }
    free(names);
    return x;
}

struct shard_index *shard_index_parse(const char *text, size_t len)
{
    json_t *root = len <= SHARD_INDEX_BYTES_MOST ? json_loadb(text, len, 0, NULL) : NULL;
    struct shard_index *x = take_names(json_object_get(root, "weight_map"));
    json_decref(root);
    return x;
}

void shard_index_free(struct shard_index *x)
{
    for (size_t i = 0; x && i < x->n; i++)
        free(x->names[i]);
    free(x);
}

size_t shard_index_find(const struct shard_index *x, const char *name)
{
    char **found = bsearch(&name, x->names, x->n, sizeof(x->names[0]), by_text);
    return found ? (size_t)(found - x->names) : x->n;
}
