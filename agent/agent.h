/* The agent's parts, made once by main and handed to all. Loop thread only, but for those parts
 * whose own headers allow more. */
#ifndef WARMPATH_AGENT_AGENT_H
#define WARMPATH_AGENT_AGENT_H

#include <stdint.h>

#include "agent/loop.h"
#include "agent/store/store.h"
#include "fetch/http.h"

struct cluster;

struct agent {
    struct loop *loop;
    struct http_engine *engine;
    struct store *store;
    struct cluster *cluster; /* NULL: the node stands alone */
    uint32_t block_bytes;
    uint32_t piece_bytes; /* at least so much is fetched of a block (WARMPATH_READ_PIECE) */
    int64_t deadline_ms;  /* for a request to S3, all attempts */
    int64_t started_s;
};

#endif
