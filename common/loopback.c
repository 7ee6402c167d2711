#include "common/loopback.h"

#include <string.h>

bool loopback_is(const char *at)
{
    if (strncmp(at, "[::1]", 5) == 0)
        return at[5] == '\0' || strchr(":/", at[5]);
    size_t len = strcspn(at, ":/");
    if (len == 9 && strncmp(at, "localhost", 9) == 0)
        return true;
    return strncmp(at, "127.", 4) == 0 && strspn(at, "0123456789.") == len;
}
