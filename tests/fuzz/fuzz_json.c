/* What credential_process, containers and instances answer. */
#include "fetch/credentials_internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[384] = "";
    const struct search s = {.why = why, .why_size = sizeof(why)};
    struct credentials c = {0};
    char *text = fuzz_text(data, size);
    int found = search_take_json(&s, &c, "the place", text, size);
    FUZZ_MUST(found == 1 ? *c.access_key && *c.secret_key && c.expires_s >= 0
                         : *why && !c.access_key);
    credentials_clear(&c);
    credentials_time(text);
    credentials_host_allowed(text);
    free(text);
    return 0;
}
