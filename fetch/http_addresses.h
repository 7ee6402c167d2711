/* Where names of hosts led to, for when their resolver does not answer: connections go there then
 * instead of failing. Only what answered a request counts; for as long as this process runs. Any
 * thread. Times are clock_monotonic_ms(). */
#ifndef WARMPATH_FETCH_HTTP_ADDRESSES_H
#define WARMPATH_FETCH_HTTP_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hosts that are remembered, and addresses of each: the latest. */
#define HTTP_ADDRESSES_HOSTS 64
#define HTTP_ADDRESSES_EACH  4
/* So long a name that could not be resolved isn't tried again. */
#define HTTP_ADDRESSES_LOST_MS 30000

/* The host of `url` answered at `address`, which is an IP in text. */
void http_addresses_learn(const char *url, const char *address);

/* Its name can't be resolved. False: nothing else is known of it. */
bool http_addresses_lost(const char *url, int64_t now_ms);

/* Is it lost at present? Then `out` becomes an entry for CURLOPT_CONNECT_TO, with one of the
 * addresses after the other. */
bool http_addresses_instead(const char *url, int64_t now_ms, char *out, size_t size);

#endif
