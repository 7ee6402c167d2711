/* STS' answers. */
#include "fetch/credentials_internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials c = {0};
    char code[64], message[256];
    char *text = fuzz_text(data, size);
    if (sts_parse(text, size, &c, code, message))
        FUZZ_MUST(*c.access_key && *c.secret_key && *c.session_token);
    FUZZ_MUST(strlen(code) < sizeof(code) && strlen(message) < sizeof(message));
    credentials_clear(&c);
    free(text);
    return 0;
}
