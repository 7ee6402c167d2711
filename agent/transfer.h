/* One ranged GET that fills blocks, or pieces of one: bytes go to the blocks as they arrive.
 *
 * Made and freed on the loop's thread, where `progress` and `ended` are called, too; the bytes come
 * in on a thread of the engine. */
#ifndef WARMPATH_AGENT_TRANSFER_H
#define WARMPATH_AGENT_TRANSFER_H

#include <stdatomic.h>

#include "agent/agent.h"
#include "agent/context.h"
#include "agent/job.h"
#include "agent/partial.h"
#include "agent/store/xxh3.h"

#define TRANSFER_BLOCKS 256 /* 16 MiB of the smallest blocks */

/* A part of the range: a span of one block. The next begins where it ends. */
struct transfer_part {
    struct partial *partial; /* borrowed until ended */
    uint64_t index;
    struct span span;
    void *owner; /* the caller's */
};

struct transfer {
    /* in */
    struct agent *agent;
    const struct version *version; /* copied */
    struct context *context;
    struct job *job;
    struct transfer_part *parts; /* copied */
    size_t n_parts;
    void *user;
    bool far;   /* no reader is near: it is for other nodes' sake (policy/far) */
    bool eager; /* somebody waits: show the first bytes as soon as they are there */
    /* New pieces are there; perhaps several at once. */
    void (*progress)(struct transfer *t);
    /* It is over; then it frees itself. `error` and `why` say how. */
    void (*ended)(struct transfer *t);

    /* out, valid in `ended` */
    int error; /* 0, or -errno: -ESTALE (replaced or deleted in S3), -EACCES, -EIO, … */
    char why[384];

    struct transfer_state *state; /* transfer.c's own */
};

/* Starts one. NULL with the reason when it can't be. */
struct transfer *transfer_start(const struct transfer *how, int *error, char *why, size_t why_size);

size_t transfers_in_flight(void);
/* The most that one run should fetch ahead (policy/pipe). Loop thread. */
uint64_t transfer_window_bytes(void);

#endif
