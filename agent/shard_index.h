/* The names of the files (shards) that a `*.index.json` says hold a model together. Pure.
 *
 *   {"metadata": …, "weight_map": {"a tensor": "model-00001-of-00002.safetensors", …}}
 *
 * Source: https://huggingface.co/docs/transformers/big_models, "Sharded checkpoints". What
 * somebody wrote there is not believed: an index that names more than SHARD_INDEX_MOST files, or
 * anything but names of files beside it, names none. */
#ifndef WARMPATH_AGENT_SHARD_INDEX_H
#define WARMPATH_AGENT_SHARD_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#define SHARD_INDEX_BYTES_MOST (1u << 20) /* longer ones are not looked at */
#define SHARD_INDEX_MOST       1024
#define SHARD_NAME_BYTES_MOST  255

struct shard_index {
    size_t n;
    char *names[]; /* in order, each once */
};

/* Is a file of this name one? */
bool shard_index_is_name(const char *key);
/* NULL: it names none. */
struct shard_index *shard_index_parse(const char *text, size_t len);
void shard_index_free(struct shard_index *x);
/* Its place, or x->n. */
size_t shard_index_find(const struct shard_index *x, const char *name);

#endif
