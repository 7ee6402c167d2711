/* S3's listings, in pieces of any size, and its error documents. */
#include <errno.h>

#include "fetch/s3_xml.h"
#include "tests/fuzz/fuzz.h"

static void list(const uint8_t *data, size_t size, size_t piece)
{
    struct s3_page page = {0};
    struct s3_list_parser *p = s3_list_parser_new();
    int error = 0;
    FUZZ_MUST(p);
    for (size_t at = 0; at < size && !error; at += piece)
        error = s3_list_parser_feed(p, data + at, size - at < piece ? size - at : piece);
    int last = s3_list_parser_finish(p, &page);
    FUZZ_MUST(!error || last == error);
    if (last == 0) {
        for (size_t i = 0; i < page.n_entries; i++)
            FUZZ_MUST(page.entries[i].name);
        s3_page_clear(&page);
    }
    s3_list_parser_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3_error said;
    char etag[S3_ETAG_MAX];
    if (size == 0)
        return 0;
    list(data + 1, size - 1, 1 + data[0]);
    s3_error_parse(data + 1, size - 1, &said);
    FUZZ_MUST(strlen(said.code) < sizeof(said.code) && strlen(said.region) < sizeof(said.region));
    char *text = fuzz_text(data + 1, size - 1);
    if (s3_etag_copy(etag, text))
        FUZZ_MUST(etag[0] == '"' && strlen(etag) > 2 && etag[strlen(etag) - 1] == '"');
    s3_parse_iso8601(text);
    free(text);
    return 0;
}
