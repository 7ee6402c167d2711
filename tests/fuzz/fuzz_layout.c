/* The beginning of a file that calls itself safetensors. */
#include "agent/layout.h"
#include "tests/fuzz/fuzz.h"

static void look(const uint8_t *data, size_t size, uint64_t file_bytes)
{
    struct layout *l = layout_parse(data, size, file_bytes);
    for (size_t i = 0; l && i < l->n; i++) {
        const struct layout_part *p = &l->parts[i];
        FUZZ_MUST(p->from < p->to && p->to <= file_bytes);
        FUZZ_MUST(i == 0 || p->from >= l->parts[i - 1].from);
        struct layout_part found = layout_find(l, p->from);
        FUZZ_MUST(found.from == p->from);
        found = layout_find(l, p->to);
        FUZZ_MUST(found.to == 0 || (found.from <= p->to && found.to > p->to));
    }
    free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8)
        return 0;
    size_t header = layout_header_bytes(data, size);
    FUZZ_MUST(header <= LAYOUT_HEADER_MAX && header < size);
    if (header)
        look(data, header, size);
    look(data, size, UINT64_MAX);
    return 0;
}
