/* The names of the files (shards) that hold a model together. Pure. A `*.index.json` tells them:
 *
 *   {"metadata": …, "weight_map": {"a tensor": "model-00001-of-00002.safetensors", …}}
 *
 * Source: https://huggingface.co/docs/transformers/big_models, "Sharded checkpoints". What
 * somebody wrote there is not believed: an index that names more than SHARD_INDEX_MOST files, jumps
 * between hundreds of them for hundreds of thousands of tensors, or names anything but files beside
 * it, names none.
 *
 * Without one, a name of this form tells the others; GGUF files are split so, too (llama.cpp,
 * tools/gguf-split, "Naming"). */
#ifndef WARMPATH_AGENT_SHARD_INDEX_H
#define WARMPATH_AGENT_SHARD_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#define SHARD_INDEX_BYTES_MOST (32u << 20) /* longer ones are not looked at */
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
/* Those that belong to `PREFIX-00001-of-NNNNN.gguf` (or .safetensors, .bin), which it is itself the
 * first of. NULL: the name is no such one. */
struct shard_index *shard_index_of_first(const char *name);
void shard_index_free(struct shard_index *x);
/* Its place, or x->n. */
size_t shard_index_find(const struct shard_index *x, const char *name);

#endif
