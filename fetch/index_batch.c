#include "fetch/index_batch.h"

#include <stdio.h>
#include <string.h>

bool batch_has_room(const struct index_batch *b)
{
    return b->n + 4 <= BATCH_MAX && b->used + 1024 <= ARENA_BYTES;
}

void *batch_keep(struct index_batch *b, const void *data, size_t len)
{
    void *at = memcpy(b->arena + b->used, data, len);
    b->used += len;
    return at;
}

struct redis_command *batch_add(struct index_batch *b, enum batch_step_kind kind, struct segment *s,
                                const char *name, const char *key)
{
    struct redis_command *c = &b->commands[b->n];
    b->steps[b->n++] = (struct batch_step){.kind = kind, .segment = s};
    *c = (struct redis_command){.key_at = 1};
    redis_arg(c, name, strlen(name));
    redis_arg(c, batch_keep(b, key, strlen(key) + 1), strlen(key));
    return c;
}

void batch_arg(struct index_batch *b, struct redis_command *c, const void *data, size_t len)
{
    redis_arg(c, batch_keep(b, data, len), len);
}

void batch_arg_number(struct index_batch *b, struct redis_command *c, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);
    batch_arg(b, c, text, (size_t)len);
}
