/* WARMPATH_MAP, sizes and log levels: what is accepted holds together. */
#include "common/log.h"
#include "common/map.h"
#include "common/options.h"
#include "tests/fuzz/fuzz.h"

static void listen(const char *sentence)
{
    FUZZ_MUST(strlen(sentence) < 640);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct map map;
    char *text = fuzz_text(data, size);
    uint64_t bytes;
    map_parse(&map, text, listen);
    for (int i = 0; i < map.n; i++) {
        const struct mapping *m = &map.entries[i];
        FUZZ_MUST(strlen(m->prefix) == m->prefix_len && m->prefix[0] == '/' && m->prefix_len > 1);
        FUZZ_MUST(m->prefix[m->prefix_len - 1] != '/');
        FUZZ_MUST(strlen(m->bucket) == m->bucket_len && strlen(m->key_prefix) == m->key_prefix_len);
        FUZZ_MUST(strlen(m->access) == m->access_len && m->access_len < MAP_ACCESS_MAX);
        FUZZ_MUST(map_find(&map, m->prefix, m->prefix_len) == m);
        FUZZ_MUST(map_below(&map, m->prefix, m->prefix_len));
    }
    parse_size(text, &bytes);
    log_setup(text);
    log_setup("error");
    free(text);
    return 0;
}
