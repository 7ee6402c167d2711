/* Headers of S3's answers: "Name: value" lines, a blank line, the document. In place of curl, the
 * input is what http_header() reads. First line: STATUS OP FIRST LAST. */
#include "common/clock.h"
#include "fetch/s3_answer.h"
#include "fetch/s3_fault.h"
#include "tests/fuzz/fuzz.h"

static char *lines[32];
static int n_lines;

const char *http_header(const struct http_request *r, const char *name)
{
    size_t len = strlen(name);
    (void)r;
    for (int i = 0; i < n_lines; i++)
        if (strncasecmp(lines[i], name, len) == 0 && lines[i][len] == ':')
            return lines[i] + len + 1 + strspn(lines[i] + len + 1, " ");
    return NULL;
}

static void judge(struct http_request *http, unsigned op, uint64_t first, uint64_t last,
                  const char *document)
{
    struct s3_meta meta = {0};
    struct s3_verdict v = {0};
    struct s3_request request = {.op = (enum s3_op)(op % 3), .bucket = "bucket", .key = "key"};
    uint64_t end = 0;
    if (s3_answer_get(http, first, last, "", &meta, &end, &v)) {
        FUZZ_MUST(end > first && end - 1 <= last && end <= meta.size_bytes);
        FUZZ_MUST(end == meta.size_bytes || end - 1 == last);
        FUZZ_MUST(strlen(meta.etag) > 2 && meta.mtime_s >= 0);
    } else {
        FUZZ_MUST(v.error < 0 && *v.why);
    }
    s3_answer_head(http, &meta, &v);
    memset(&v, 0, sizeof(v));
    s3_fault_answer(http, &request, document, strlen(document), clock_wall_s(), &v);
    FUZZ_MUST(v.retry_after_ms >= 0 && v.retry_after_ms <= 86400000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned long long first = 0, last = 0;
    unsigned status = 0, op = 0;
    char *text = fuzz_text(data, size);
    char *rest = text, *line = strsep(&rest, "\n");
    struct http_request http = {.method = "GET", .url = "http://host/bucket/key"};
    sscanf(line, "%3u %1u %20llu %20llu", &status, &op, &first, &last);
    http.status = (int)status;
    n_lines = 0;
    while (rest && n_lines < 32 && *(line = strsep(&rest, "\n")))
        lines[n_lines++] = line;
    if (last >= first && last < UINT64_MAX)
        judge(&http, op, first, last, rest ? rest : "");
    free(text);
    return 0;
}
