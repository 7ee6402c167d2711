/* A file that calls itself the index of a sharded model: only names of files beside it, in order.
 */
#include "agent/shard_index.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct shard_index *x = shard_index_parse(text, size);
    for (size_t i = 0; x && i < x->n; i++) {
        FUZZ_MUST(x->names[i][0] && !strchr(x->names[i], '/') && strcmp(x->names[i], "..") != 0);
        FUZZ_MUST(strlen(x->names[i]) <= SHARD_NAME_BYTES_MOST);
        FUZZ_MUST(i == 0 || strcmp(x->names[i - 1], x->names[i]) < 0);
        FUZZ_MUST(shard_index_find(x, x->names[i]) == i);
    }
    FUZZ_MUST(!x || (x->n > 0 && x->n <= SHARD_INDEX_MOST));
    shard_index_free(x);
    free(text);
    return 0;
}
