/* The content of a file that calls itself safetensors (the first byte says which), GGUF or npz: a
 * scan asks for what is inside the file, comes to an end, and what it found is in order. */
#include <stdlib.h>
#include <string.h>

#include "agent/layout.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"a.safetensors", "a.gguf", "a.npz"};

/* In pieces of `most` bytes, where the scan lets us. */
static struct layout *scan(const char *name, const uint8_t *data, size_t size, uint64_t file_bytes,
                           size_t most)
{
    struct layout_scan *s = layout_scan_new(name, file_bytes);
    struct layout_need need, former = {UINT64_MAX, 0};
    while ((need = layout_scan_need(s)).least_bytes > 0) {
        FUZZ_MUST(need.least_bytes <= LAYOUT_PIECE_MAX);
        FUZZ_MUST(need.at < file_bytes && need.least_bytes <= file_bytes - need.at);
        FUZZ_MUST(need.at != former.at || need.least_bytes > former.least_bytes);
        former = need;
        if (need.at > size || need.least_bytes > size - need.at)
            break;
        size_t len = size - (size_t)need.at;
        if (len > most && most >= need.least_bytes)
            len = most;
        /* Of its own, so that a read behind it is seen. */
        uint8_t *copy = malloc(len);
        memcpy(copy, data + need.at, len);
        layout_scan_feed(s, copy, len);
        free(copy);
    }
    return layout_scan_take(s);
}

static void look(const struct layout *l, uint64_t file_bytes)
{
    FUZZ_MUST(l->n > 0 && l->n <= LAYOUT_PARTS_MAX);
    for (size_t i = 0; i < l->n; i++) {
        const struct layout_part *p = &l->parts[i];
        FUZZ_MUST(p->from < p->to && p->to <= file_bytes);
        FUZZ_MUST(i == 0 || p->from >= l->parts[i - 1].to);
        FUZZ_MUST(layout_find(l, p->from).from == p->from);
        FUZZ_MUST(layout_find(l, p->to - 1).to == p->to);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *name = names[data[0] % (sizeof(names) / sizeof(names[0]))];
    uint64_t sizes[] = {size - 1, 1ull << 40};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct layout *whole = scan(name, data + 1, size - 1, sizes[i], SIZE_MAX);
        struct layout *pieces = scan(name, data + 1, size - 1, sizes[i], 64);
        FUZZ_MUST(!whole == !pieces);
        FUZZ_MUST(!whole ||
                  (whole->n == pieces->n &&
                   memcmp(whole->parts, pieces->parts, whole->n * sizeof(whole->parts[0])) == 0));
        if (whole)
            look(whole, sizes[i]);
        free(whole);
        free(pieces);
    }
    return 0;
}
