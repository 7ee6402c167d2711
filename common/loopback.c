#include "common/loopback.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_ipv6(const char *at)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr six;
    size_t len = strcspn(at, "]");
    if (len >= sizeof(address) || at[len] != ']' || (at[len + 1] && !strchr(":/", at[len + 1])))
        return false;
    snprintf(address, sizeof(address), "%.*s", (int)len, at);
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool loopback_is(const char *at)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr four;
    if (*at == '[')
        return is_ipv6(at + 1);
    size_t len = strcspn(at, ":/");
    if (len == 9 && strncasecmp(at, "localhost", 9) == 0)
        return true;
    if (len >= sizeof(address) || strncmp(at, "127.", 4) != 0 || strspn(at, "0123456789.") != len)
        return false;
    snprintf(address, sizeof(address), "%.*s", (int)len, at);
    return inet_aton(address, &four) != 0;
}
