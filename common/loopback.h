/* Which addresses only this machine reaches. Pure. */
#ifndef WARMPATH_COMMON_LOOPBACK_H
#define WARMPATH_COMMON_LOOPBACK_H

#include <stdbool.h>

/* `at` begins with a host, [address] or name, that ends at ":", "/" or the text's end: is it
 * 127.x.x.x, [::1] (however they are written) or localhost? Other names may lead anywhere, whatever
 * they begin with. */
bool loopback_is(const char *at);

#endif
